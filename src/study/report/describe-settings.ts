import type { ProbeEval, ProbeSummary } from "../../evaluation/probe-eval.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { formatNumber } from "../../text/format-numbers.ts";
import { createRedactor, redactStrings } from "../../text/redact.ts";
import { readTool } from "../version.ts";

/** Names and values of all that shaped a study, for its report. */
export function describeSettings(
  { probes, se_threshold, settings, source }: ProbeEval,
  runs: readonly RunRecord[],
): [string, string][] {
  const tool = readTool();
  const questions = new Set(runs.map((run) => run.question_id)).size;
  const first = runs[0];
  const rows: [string, string][] = [
    ["Tool", `${tool.name} ${tool.version}`],
    ["Model", first?.model ?? "unknown"],
    ["Questions and samples", `${questions} questions, ${runs.length} samples`],
    ["Sampler", first === undefined ? "unknown" : describePairs({ ...first.sampler, seed: first.seed })],
    ["Accuracy probe", describeProbe(probes.accuracy_probe)],
    ["SE probe", describeProbe(probes.se_probe)],
    ["Entropy baseline", describeProbe(probes.entropy_baseline)],
    ["SE threshold", `${formatNumber(se_threshold.threshold, 4)} nats (${se_threshold.method})`],
    [
      "Inference",
      `${settings.resamples} resamples, ${settings.permutations} permutations, seed ${settings.seed}`,
    ],
    ...Object.entries(source).map(([name, value]): [string, string] => [`Trace: ${name}`, value]),
  ];
  // a report is sent around, and an imported study names its model as it likes
  return redactStrings(rows, createRedactor([]).message);
}

function describeProbe(probe: ProbeSummary | null): string {
  if (probe === null) return "not trained";
  const place = probe.position === null ? "mean think entropy" : `${probe.position}, layer ${probe.layer}`;
  const score = probe.cv_auc === null ? "" : `, cross-validated AUROC ${formatNumber(probe.cv_auc)}`;
  return `${place}, C = ${probe.C}, ${probe.training_rows} rows of ${probe.training_questions} questions${score}`;
}

const describePairs = (values: Readonly<Record<string, unknown>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? JSON.stringify(value) : value}`)
    .join(", ");
