import { readFile } from "node:fs/promises";
import { SepError } from "../errors.ts";
import type { StudyRows, StudyToCompare } from "../evaluation/compare-studies.ts";
import { HELD_OUT_SPLITS, type ProbeEval } from "../evaluation/probe-eval.ts";
import type { Json } from "../formats/json.ts";
import { readManifest } from "../store/manifest.ts";
import { manifestPathOf } from "../store/output-ownership.ts";
import { normalizeQuestion } from "../text/segment-text.ts";
import { requireCurrent } from "./chain.ts";
import { requireInput } from "./decide-step.ts";
import { type ScoredAnswers, scoreAnswers } from "./probes/score-answers.ts";
import { toFlag } from "./settings/setting.ts";
import { tracedAnswersPath } from "./study-answers.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

/** What the rows of a study are, and what is asked of them. */
export interface StudyKind {
  readonly label: string;
  readonly isParts: boolean;
}

/**
 * Reads a finished study for a comparison: its evaluation, the scores of its test answers, and the settings that its manifests record.
 * @throws SepError `missing-input` if it is not evaluated, `stale-input` if its files do not belong together
 */
export async function readComparedStudy(
  folder: string,
  name: string,
): Promise<StudyToCompare & { readonly kind: StudyKind }> {
  const workspace = openWorkspace(folder);
  await requireInput(workspace.probeEval, "compare");
  await requireCurrent([workspace.probeEval], "compare");
  const evaluation = JSON.parse(await readFile(workspace.probeEval, "utf8")) as ProbeEval;
  const { train, answers, scored } = await scoreAnswers(workspace, evaluation.settings.seed);
  const splits = Object.fromEntries(
    HELD_OUT_SPLITS.flatMap((split) => {
      const own = scored.find((each) => each.split === split);
      if (own === undefined) return [];
      return [[split, toRows(own, split === "ood_test" ? answers.ood : answers.math)] as const];
    }),
  );
  return {
    name,
    evaluation,
    splits,
    settings: await readSettings(workspace, evaluation),
    kind: { label: train.label, isParts: train.spans !== undefined },
  };
}

/**
 * @throws SepError `not-comparable` for studies whose labels say different things
 */
export function requireSameKind(
  studies: readonly { readonly name: string; readonly kind: StudyKind }[],
): void {
  const describe = ({ label, isParts }: StudyKind): string =>
    `${label} of ${isParts ? "parts of answers" : "whole answers"}`;
  const kinds = new Set(studies.map(({ kind }) => describe(kind)));
  if (kinds.size < 2) return;
  const found = studies.map(({ name, kind }) => `${name} has ${describe(kind)}`).join(", ");
  throw new SepError(
    "not-comparable",
    `The labels of the studies differ in kind: ${found}. Scores that find different things cannot be compared; give studies with the same --label and positions of one kind.`,
  );
}

/** A question is the same in two studies if its words are; where these are not known, if its id is. */
function toRows(
  { dataset, scores }: ScoredAnswers["scored"][number],
  answers: ScoredAnswers["answers"]["ood"],
): StudyRows {
  const nameOf = (id: string): string => {
    const text = answers?.questionTexts.get(id);
    return text === undefined ? `id ${id}` : normalizeQuestion(text);
  };
  const names = new Map([...new Set(dataset.questionGroups)].map((group) => [group, nameOf(group)]));
  return {
    questions: dataset.questionGroups.map((group) => names.get(group)!),
    incorrect: scores.incorrect,
    byName: scores.byName,
  };
}

/** Of no consequence for what is compared, or said by another setting. */
const LEFT_OUT =
  /^(dataset|limit|sampler_sources|format|permutations|resamples|nested|estimates|asking|answers_saved|layers|positions|norm_state|indices|figures|scores|targetRisk|targetCoverage)(\.|$)|sha256|\.version$/;

/** By option name where there is one. */
const RENAMED: Readonly<Record<string, string>> = {
  source: "dataset",
  "model.dtype": "dtype",
  "model.device": "device",
  "equivalence.name": "equivalence",
  kind: "probe",
  C: "c",
  enable_thinking: "thinking",
  dtype: "states-dtype",
};

/** Settings of each step by option name, as its manifest has them; those of other tools are not known. */
async function readSettings(
  workspace: Workspace,
  { source, audit }: ProbeEval,
): Promise<Readonly<Record<string, string>>> {
  const settings: Record<string, string> = {
    model: source.model ?? "unknown",
    ...(source.weights_sha256 === undefined ? {} : { weights: source.weights_sha256.slice(0, 12) }),
  };
  const steps: readonly [main: string, seed: string][] = [
    [workspace.raw("math"), "seed"],
    [await tracedAnswersPath(workspace, "math"), "seed"],
    [workspace.semanticEntropy("math"), "seed"],
    [workspace.hiddenStates("math"), "seed"],
    [workspace.probeDataset("math_train"), "split-seed"],
    [workspace.accuracyProbe, "split-seed"],
  ];
  for (const [main, seed] of steps) {
    const manifest = await readManifest(manifestPathOf(main));
    // the data sets' layer is for other tools
    const isIdle = (key: string): boolean => manifest?.step === "dataset" && key === "layer";
    for (const [key, value] of flatten(manifest?.settings ?? {})) {
      if (LEFT_OUT.test(key) || isIdle(key)) continue;
      const name =
        RENAMED[key] ?? (key === "seed" ? seed : toFlag(key.replace(/^sampler\./, "")).replaceAll("_", "-"));
      // the answers' dtype, not that of the pass that read their states
      settings[name] ??= value;
    }
  }
  const ood = await readManifest(manifestPathOf(workspace.raw("ood")));
  if (typeof ood?.settings.source === "string") settings.ood = ood.settings.source;
  return { ...settings, "audited-probe": audit.probe };
}

function flatten(settings: Readonly<Record<string, Json>>, prefix = ""): [string, string][] {
  return Object.entries(settings).flatMap(([name, value]): [string, string][] => {
    const key = `${prefix}${name}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return flatten(value as Readonly<Record<string, Json>>, `${key}.`);
    return [[key, typeof value === "string" ? value : value === null ? "none" : JSON.stringify(value)]];
  });
}
