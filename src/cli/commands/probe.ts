import { z } from "zod";
import { nameObserver } from "../../engine/observation.ts";
import { isUnitPosition } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
import { nameOfPart, wordsOfRows } from "../../evaluation/row-words.ts";
import { splitProbe } from "../../probes/encode-probe.ts";
import { PROBE_EXPORT_FORMATS } from "../../probes/export-probe.ts";
import type { Probe, UntrainedProbe } from "../../probes/probe.ts";
import { fileExists } from "../../store/read-file.ts";
import { exportPathOf, exportProbe, loadProbe, readProbeFile } from "../../study/probe-files.ts";
import { operand, setting, text } from "../../study/settings/setting.ts";
import { formatNumber, formatPEquation } from "../../text/format-numbers.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { createPaint, wrap } from "../terminal.ts";

/** What a probe is, from its two files. */
export const PROBE_INFO: Command = defineCommand({
  name: "probe info",
  summary: "show what a probe reads, what it was trained on, and what it guarantees",
  options: {
    probe: operand("FILE", "The probe's .json file, with its weights beside it."),
    json: OUTPUT.json,
  },
  examples: [
    {
      line: "sep probe info artifacts/models/se_probe.json",
      meaning: "the SE probe of the study in this folder",
    },
    { line: "sep probe info se_probe.json --json", meaning: "everything in its file, for a script" },
  ],
  async run(values, { stdout, env }) {
    const probe = await readProbeFile(values.probe);
    if (values.json) {
      const description = probe.kind === "untrained" ? probe : splitProbe(probe).description;
      stdout.write(`${JSON.stringify({ ...description, kind: "probe", probe_kind: probe.kind })}\n`);
      return EXIT.ok;
    }
    const paint = createPaint(stdout, env);
    const columns = Math.min(stdout.columns ?? DEFAULT_COLUMNS, MOST_COLUMNS) - NAME_WIDTH;
    for (const [name, value] of describeProbeFile(probe)) {
      const [first = "", ...rest] = wrap(value, columns);
      stdout.write(`${paint("gray", name.padEnd(NAME_WIDTH))}${first}\n`);
      for (const line of rest) stdout.write(`${" ".repeat(NAME_WIDTH)}${line}\n`);
    }
    return EXIT.ok;
  },
});

const NAME_WIDTH = 17;
const DEFAULT_COLUMNS = 80;
const MOST_COLUMNS = 110;

/** A probe for other programs. */
export const PROBE_EXPORT: Command = defineCommand({
  name: "probe export",
  summary: "write a probe for other programs: ONNX, NumPy, scikit-learn, or a portable format",
  options: {
    probe: operand("FILE", "The probe's .json file, with its weights beside it."),
    format: setting(
      z.enum(PROBE_EXPORT_FORMATS).default("portable"),
      "Format to write; docs/probe-files.md says what each contains.",
    ),
    to: text("FILE", "Output file.", "beside the probe, with its name"),
    force: OUTPUT.force,
    json: OUTPUT.json,
  },
  examples: [
    {
      line: "sep probe export artifacts/models/se_probe.json --format onnx",
      meaning: "a graph from hidden states to scores and calibrated risks",
    },
    {
      line: "sep probe export artifacts/models/se_probe.json --to shared/se_probe.json",
      meaning: "the two files that Node and browsers read",
    },
  ],
  async run({ probe: path, format, to, force, json }, { stdout }) {
    const probe = await loadProbe(path);
    const target = to ?? exportPathOf(path, format);
    if (!force && (await fileExists(target)))
      throw new SepError(
        "output-differs",
        `${target} exists. Use --force to replace it, or choose another file with --to.`,
      );
    const files = await exportProbe(probe, target, format);
    stdout.write(
      json ? `${JSON.stringify({ kind: "export", format, files })}\n` : `wrote ${files.join(", ")}\n`,
    );
    return EXIT.ok;
  },
});

/** A probe file as rows of a name and a value. */
function describeProbeFile(probe: Probe | UntrainedProbe): readonly (readonly [string, string])[] {
  if (probe.kind === "untrained") {
    return [
      ["kind", "could not be trained"],
      ["reads", "nothing"],
      ...probe.warnings.map(({ code, message }) => [code, message] as const),
    ];
  }
  const { source, training, layer, layer_count, C, familiarity } = probe;
  const words = wordsOfRows(partsOf(probe));
  const layers =
    layer === null
      ? ""
      : layer_count === 1
        ? `layer ${layer}`
        : `layers ${layer} to ${layer + layer_count - 1}`;
  return [
    ["kind", `${probe.kind}, C ${C}, class weight ${probe.class_weight}`],
    ["target", probe.label === undefined ? TARGETS[probe.target] : LABELS[probe.label]],
    [
      "reads",
      layer === null
        ? "mean token entropy of the reasoning"
        : `${describePlace(probe)}, ${layers}, ${probe.width} numbers, ${source.norm_state ?? "norm state unknown"}`,
    ],
    ...(
      ["model", "model_revision", "weights_sha256", "tokenizer_sha256", "dtype", "indices"] as const
    ).flatMap((key) =>
      source[key] === undefined ? [] : [[key.replace("_sha256", ""), source[key]] as const],
    ),
    ...[nameObserver(source)].flatMap((line) => (line === null ? [] : [["observer", line] as const])),
    ["generation", describeGeneration(probe)],
    [
      "training",
      `${training.row_count} ${words.rows} ${words.to} ${training.question_count} questions, ${training.positive_count} of label 1, seed ${training.seed}`,
    ],
    ["AUROC", describeAuroc(probe)],
    ["calibration", describeMap(probe)],
    ...(familiarity === null
      ? []
      : [
          [
            "familiarity",
            `${familiarity.variances.length} leading direction${familiarity.variances.length === 1 ? "" : "s"} of ${familiarity.training_questions} training questions, distances of ${familiarity.distances.length} validation questions`,
          ] as const,
        ]),
    ...probe.decisions.map(
      ({ kind, target, threshold, reason }) =>
        [
          kind,
          threshold === null
            ? `${target}: none. ${reason}`
            : `${target}: answer up to score ${formatNumber(threshold.threshold, 4)}. ${threshold.guarantee}`,
        ] as const,
    ),
    ...probe.warnings.map(({ code, message }) => [code, message] as const),
  ];
}

/** What the rows are parts of answers by; a probe that pools `every-token` reads whole answers. */
const partsOf = ({ position, pooling }: Probe): Parameters<typeof wordsOfRows>[0] =>
  position === null || !isUnitPosition(position) || (pooling !== undefined && position === "every-token")
    ? undefined
    : { position, label: "final-incorrect" };

function describePlace({ position, pooling }: Probe): string {
  if (pooling === undefined) return position ?? "nothing";
  const spans = position === "every-token" ? "the answer" : `each ${nameOfPart(position ?? undefined)}`;
  const window = pooling.window === null ? "" : ` of ${pooling.window} tokens`;
  return `all tokens of ${spans} (${pooling.method}${window})`;
}

/** What label 1 is, where it is not of whole answers. */
const LABELS = {
  "final-incorrect": "incorrect: label 1 is a wrong answer",
  "step-incorrect": "incorrect: label 1 is a step whose arithmetic does not hold",
  spans: "incorrect: label 1 is a stretch that the user labeled so",
  inconsistent: "incorrect: label 1 is a part of an answer that the question's other samples do not entail",
  clusters: "incorrect: label 1 is a part of an answer from whose end answers go on to different meanings",
  "not-settled": "incorrect: label 1 is a step from which the model would not answer as it does in the end",
  "forced-incorrect": "incorrect: label 1 is a step from which the model would answer wrong",
} as const satisfies Record<NonNullable<Probe["label"]>, string>;

const TARGETS = {
  incorrect: "incorrect: label 1 is a wrong answer",
  "high-semantic-entropy": "high-semantic-entropy: label 1 is a question whose answers disagree in meaning",
} as const satisfies Record<Probe["target"], string>;

function describeGeneration({ asking }: Probe): string {
  if (asking === null) return "unknown: the answers come from another tool";
  const { prompt_format, system_prompt, sampler } = asking;
  const format = typeof prompt_format === "string" ? prompt_format : JSON.stringify(prompt_format);
  const system = system_prompt === null ? "" : ", with a system prompt";
  return `${format}${system}, temperature ${sampler.temperature}, top-p ${sampler.topP}, at most ${sampler.maxNewTokens} tokens`;
}

function describeAuroc({ training, C }: Probe): string {
  const chosen = training.penalty_scores.find((score) => score.C === C)?.auroc ?? null;
  const nested = training.nested?.auroc ?? null;
  const { permutation } = training;
  const p = permutation?.best_of_all?.p_value ?? permutation?.chosen?.p_value ?? null;
  const parts = [
    chosen === null ? "unknown" : `${formatNumber(chosen)} out of fold`,
    ...(nested === null ? [] : [`${formatNumber(nested)} nested`]),
    ...(p === null ? [] : [formatPEquation(p, permutation!.permutations)]),
  ];
  return `${parts.join(", ")}; see sep eval for held-out questions`;
}

function describeMap({ calibration_map: map }: Probe): string {
  if (map === null) return "none: on the validation questions, scores do not rise with the label";
  if (map.method === "platt")
    return `platt, slope ${formatNumber(map.slope, 4)}, offset ${formatNumber(map.offset, 4)}`;
  return `isotonic, ${map.x.length} points`;
}
