import { rm } from "node:fs/promises";
import type { TracePosition } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
import { assembleDataset, type QuestionEntropies, selectUsableRuns } from "../../probes/assemble-dataset.ts";
import { type QuestionSplit, type SplitRatios, splitQuestions } from "../../probes/split-questions.ts";
import {
  defaultLabel,
  isMeasured,
  type MeasuredUnits,
  requireLabel,
  warnOfUnlabelled,
} from "../../probes/unit-labels.ts";
import { createRunsReader, type LoadedRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { type HiddenStates, openHiddenStates } from "../../states/hidden-states.ts";
import { readStateRowIndex, type StateRowIndex } from "../../states/state-index.ts";
import { type ManifestWarning, readManifest, staleReasons } from "../../store/manifest.ts";
import { manifestPathOf, wasMade } from "../../store/output-ownership.ts";
import { fileExists } from "../../store/read-file.ts";
import { readSemanticEntropy } from "../entropy/read-semantic-entropy.ts";
import { writeProbeDataset } from "../probe-files.ts";
import { choosePosition } from "../probes/choose-position.ts";
import {
  type DuplicateGroups,
  findShared,
  firstRuns,
  groupDuplicates,
  nameSome,
  questionTexts,
  warnOfDuplicates,
} from "../question-overlap.ts";
import { readStudySplit } from "../question-splits.ts";
import { DATASET_LAYER, DATASET_SETTINGS, namedRatios } from "../settings/probes.ts";
import { SEEDS, splitSeedOf } from "../settings/sampling.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import { tracedAnswersPath } from "../study-answers.ts";
import { chooseUnitThreshold, readUnitValues } from "../units/unit-thresholds.ts";
import {
  type DataSetName,
  PROBE_SPLITS,
  type ProbeSplit,
  SPLIT_SOURCES,
  type Workspace,
} from "../workspace.ts";

/** Layer of the data sets' `X_hidden`. */
const SETTINGS = { ...DATASET_SETTINGS, ...DATASET_LAYER, ...SEEDS };

export interface BuildDatasetsOptions extends StepControl, SettingsInput<typeof SETTINGS> {
  /** Question sets to use; by default the first, and the second if it was traced. */
  readonly sets?: readonly DataSetName[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

const STEP = { step: "dataset", part: "" } as const;

/**
 * Step 5: joins runs, entropies and hidden states into probe data sets, split by question. The second question set is
 * optional; without its hidden states there is no `ood_test`. Duplicates of a question go to the same split, and questions of
 * the second set that are also in the first are left out.
 * @throws SepError `missing-input`, `bad-option` for a position or layer that was not traced, `bad-artifact`, and
 * those of `runStep`
 */
export async function* buildDatasets(
  workspace: Workspace,
  { sets: wanted, force, plan, signal, ...options }: BuildDatasetsOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const settings = resolveSettings(SETTINGS, options);
  const { position: asked, label: meaning, labelThreshold, layer, missingPosition, splitRatios } = settings;
  const seed = splitSeedOf(settings);
  const ratios = namedRatios(splitRatios);
  const given = splitRatios === undefined ? await readStudySplit(workspace) : null;
  const position = asked === "auto" ? await choosePosition(workspace.hiddenStates("math")) : asked;
  const label = meaning === "auto" ? defaultLabel(position) : meaning;
  requireLabel(label, position);
  const readRuns = createRunsReader();
  const readSet = async (set: DataSetName): Promise<LoadedRuns> =>
    readRuns(await tracedAnswersPath(workspace, set));
  const isOodTraced = wanted?.includes("ood") ?? (await wasMade(workspace.hiddenStates("ood")));
  const oodEntropies = isOodTraced && (await wasMade(workspace.semanticEntropy("ood")));
  const withOod = isOodTraced && !(await isOodKnown(workspace, readSet));
  const splits = PROBE_SPLITS.filter((split) => withOod || split !== "ood_test");
  const inputsOf = async (set: DataSetName, entropies: boolean): Promise<string[]> => [
    await tracedAnswersPath(workspace, set),
    ...(entropies ? [workspace.semanticEntropy(set)] : []),
    workspace.hiddenStates(set),
    workspace.hiddenStatesIndex(set),
    ...(isMeasured(label) ? [workspace.unitValues(set, label)] : []),
  ];
  const definition = {
    ...STEP,
    inputs: [
      ...(given === null ? [] : [workspace.raw("math")]),
      ...(await inputsOf("math", true)),
      ...(isOodTraced ? await inputsOf("ood", oodEntropies) : []),
    ],
    outputs: splits.map((split) => workspace.probeDataset(split)),
    settings: {
      position,
      ...(label === "final-incorrect" ? {} : { label }),
      ...(isMeasured(label) ? { labelThreshold } : {}),
      layer,
      missingPosition,
      ...(given === null ? { ratios: { ...ratios }, seed } : { split: "as the questions say" }),
    },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    yield { kind: "started", ...STEP, unit: "split", done: 0, total: splits.length };
    yield { kind: "note", ...STEP, message: `probes read the ${position} token` };
    if (given !== null) yield { kind: "note", ...STEP, message: "questions are split as their file says" };
    const counts: Record<string, number> = {};
    const warnings: ManifestWarning[] = [];
    let done = 0;
    const sets: readonly [DataSetName, boolean][] = withOod
      ? [
          ["math", true],
          ["ood", oodEntropies],
        ]
      : [["math", true]];
    let known: readonly RunRecord[] = [];
    let threshold: number | null = null;
    for (const [set, entropies] of sets) {
      const source = await loadSet(workspace, set, await readSet(set), { entropies, position, known });
      if (set === "math") known = firstRuns(source.allRuns);
      requireUsable(source, missingPosition);
      const own = [...warnOfDuplicates(source.duplicates, `${set}: `), ...describeDropped(source)];
      for (const warning of own) yield { kind: "warning", ...STEP, warning };
      warnings.push(...own);
      countDropped(source, counts);
      const measuredAt = isMeasured(label) ? await readUnitValues(workspace.unitValues(set, label)) : null;
      for (const [split, questions] of splitSet(source, given, { ratios, seed })) {
        signal?.throwIfAborted();
        const wanted = new Set(questions);
        const runs = source.usable.runs.filter((run) => wanted.has(run.question_id));
        const chosen = layer === "last" ? source.hidden.layers.at(-1)! : layer;
        // the first split is the training questions, and the others are not looked at
        if (measuredAt !== null && isMeasured(label))
          threshold ??= chooseUnitThreshold(label, labelThreshold, readUnits(runs, source, measuredAt));
        const measured = measuredAt === null || threshold === null ? null : { measuredAt, threshold };
        const { dataset, unlabeled } = await assembleDataset(
          runs,
          source.hidden,
          source.index,
          source.entropies,
          { position, layer: chosen, label, measured, groupOf: source.duplicates.groupOf },
        );
        for (const [reason, count] of unlabeled) counts[`${split}_without_label_${reason}`] = count;
        const dropped = warnOfUnlabelled(split, unlabeled, dataset.runIds.length);
        for (const warning of dropped) yield { kind: "warning", ...STEP, warning };
        warnings.push(...dropped);
        await writeProbeDataset(workspace.probeDataset(split), dataset);
        const rows = dataset.runIds.length;
        counts[`${split}_rows`] = rows;
        counts[`${split}_questions`] = new Set(runs.map((run) => run.question_id)).size;
        done++;
        yield {
          kind: "advanced",
          ...STEP,
          done,
          total: splits.length,
          detail: `${split}: ${rows} rows`,
        };
      }
    }
    if (withOod) {
      const own = await warnOfOtherSettings(workspace);
      for (const warning of own) yield { kind: "warning", ...STEP, warning };
      warnings.push(...own);
    } else {
      await rm(workspace.probeDataset("ood_test"), { force: true }); // one of an earlier study would be scored
      if (isOodTraced) counts.ood_also_in_math = firstRuns((await readSet("ood")).runs).length;
      const warning = {
        code: "no-ood",
        message: isOodTraced
          ? `All ${counts.ood_also_in_math} questions of the second set are also in the first, so nothing can be said about questions of a different kind. Give other questions with --ood.`
          : "There is no second question set, so nothing can be said about questions of a different kind.",
      };
      yield { kind: "warning", ...STEP, warning };
      warnings.push(warning);
    }
    return { counts, warnings };
  });
}

/** What was measured of the parts of some answers. */
const readUnits = (
  runs: readonly RunRecord[],
  { index, position }: SourceSet,
  measuredAt: MeasuredUnits["measuredAt"],
): number[] =>
  runs.flatMap((run) =>
    index
      .unitsOf(position, run.question_id, run.run_id)
      .flatMap((unit) => (unit === null ? [] : (measuredAt(run, unit) ?? []))),
  );

/** Probes are compared in and out of distribution, where only the questions should differ. */
async function warnOfOtherSettings(workspace: Workspace): Promise<ManifestWarning[]> {
  const [math, ood] = await Promise.all(
    (["math", "ood"] as const).map(async (set) =>
      readManifest(manifestPathOf(await tracedAnswersPath(workspace, set))),
    ),
  );
  if (math == null || ood == null) return []; // files of other tools do not say how they were made
  const differing = staleReasons(math, { settings: ood.settings, inputs: math.inputs }).filter(
    (reason) => !ASKED_APART.some((key) => reason.startsWith(`${key} `) || reason.startsWith(`${key}.`)),
  );
  if (differing.length === 0) return [];
  const message = `The two question sets were not asked alike: from math to ood, ${differing.join("; ")}. What differs between them is then not the questions alone.`;
  return [{ code: "sets-differ", message }];
}

/** Settings that belong to a set of questions. */
const ASKED_APART = ["dataset", "correctness", "limit", "prompt_format", "adaptive", "sampler_sources"];

interface SourceSet {
  readonly set: DataSetName;
  readonly hidden: HiddenStates;
  readonly index: StateRowIndex;
  readonly entropies: ReadonlyMap<string, QuestionEntropies> | null;
  /** Without the runs of questions that are also in the other set. */
  readonly allRuns: readonly RunRecord[];
  /** Questions of the other set, left out. */
  readonly shared: readonly string[];
  readonly duplicates: DuplicateGroups;
  readonly usable: ReturnType<typeof selectUsableRuns>;
  readonly badLines: number;
  readonly position: TracePosition;
}

function findSharedRuns(runs: readonly RunRecord[], others: readonly RunRecord[]): readonly string[] {
  const [texts, known] = questionTexts(runs, others);
  return findShared(texts!, known!.values());
}

/** Whether the first set contains all questions of the second; false if files are missing, which the step reports. */
async function isOodKnown(
  workspace: Workspace,
  readSet: (set: DataSetName) => Promise<LoadedRuns>,
): Promise<boolean> {
  const paths = await Promise.all(SPLIT_SOURCES.map((set) => tracedAnswersPath(workspace, set)));
  if ((await Promise.all(paths.map(fileExists))).includes(false)) return false;
  const ood = firstRuns((await readSet("ood")).runs);
  const shared = findSharedRuns(ood, firstRuns((await readSet("math")).runs));
  return ood.length > 0 && shared.length === ood.length;
}

/** @param known runs of another set, whose questions are left out */
async function loadSet(
  workspace: Workspace,
  set: DataSetName,
  { runs: all, problems, duplicates }: LoadedRuns,
  {
    entropies: withEntropies,
    position,
    known,
  }: { readonly entropies: boolean; readonly position: TracePosition; readonly known: readonly RunRecord[] },
): Promise<SourceSet> {
  const hidden = await openHiddenStates(workspace.hiddenStates(set));
  if (!hidden.positions.includes(position)) {
    throw new SepError(
      "bad-option",
      `Position ${position} was not traced in ${hidden.path}; there are ${hidden.positions.join(", ")}. Choose one of them with --position.`,
    );
  }
  const index = await readStateRowIndex(workspace.hiddenStatesIndex(set));
  const shared = findSharedRuns(all, known);
  const left = new Set(shared);
  const runs = all.filter(({ question_id }) => !left.has(question_id));
  const entropies = withEntropies
    ? new Map(
        (await readSemanticEntropy(workspace.semanticEntropy(set))).map((record) => [
          record.question_id,
          { semantic: record.semantic_entropy, discrete: record.discrete_semantic_entropy },
        ]),
      )
    : null;
  const usable = selectUsableRuns(runs, index, entropies, position);
  return {
    set,
    hidden,
    index,
    entropies,
    allRuns: runs,
    shared,
    duplicates: groupDuplicates(questionTexts(runs)[0]!),
    usable,
    badLines: problems.length + duplicates.length,
    position,
  };
}

/**
 * Questions are split before rows are dropped, so that a longer token limit does not move questions around.
 * @param given the split that the questions come with; null for one that is drawn
 */
function splitSet(
  { set, allRuns, duplicates: { groupOf } }: SourceSet,
  given: QuestionSplit | null,
  drawing: { readonly ratios: SplitRatios; readonly seed: number },
): [ProbeSplit, readonly string[]][] {
  const questions = allRuns.map((run) => run.question_id);
  if (set === "ood") return [["ood_test", questions]];
  const { train, val, test } = given ?? splitQuestions(questions, { ...drawing, groupOf });
  return [
    ["math_train", train],
    ["math_val", val],
    ["math_test", test],
  ];
}

function requireUsable({ set, usable, allRuns, position }: SourceSet, policy: "drop" | "refuse"): void {
  if (usable.runs.length === 0) {
    throw new SepError(
      "bad-option",
      `None of the ${allRuns.length} ${set} samples has a ${position} token with semantic entropy. ` +
        "Use another position (--position last-token), or a model that closes its reasoning.",
    );
  }
  if (policy === "refuse" && usable.withoutPosition > 0) {
    throw new SepError(
      "bad-option",
      `${usable.withoutPosition} of ${allRuns.length} ${set} samples have no ${position} token. Allow more tokens, or drop these answers with --missing-position drop.`,
    );
  }
}

function describeDropped({
  set,
  usable,
  allRuns,
  badLines,
  entropies,
  position,
  shared,
}: SourceSet): ManifestWarning[] {
  const warnings: ManifestWarning[] = [];
  if (shared.length > 0) {
    warnings.push({
      code: "shared-questions",
      message: `${set}: ${shared.length} questions are also in the other set, word for word or nearly so, and were left out: ${nameSome(shared)}.`,
    });
  }
  if (usable.withoutPosition > 0) {
    warnings.push({
      code: "dropped-rows",
      message:
        `${set}: ${usable.withoutPosition} of ${allRuns.length} samples have no ${position} token ` +
        `(${usable.truncated} with reasoning cut off by the token limit) and were dropped, so what follows is about ` +
        "the others only.",
    });
  }
  if (usable.withoutEntropy > 0) {
    warnings.push({
      code: "dropped-rows",
      message: `${set}: ${usable.withoutEntropy} samples were dropped because their question has no semantic entropy.`,
    });
  }
  if (badLines > 0) {
    warnings.push({
      code: "bad-lines",
      message: `${set}: ${badLines} lines of the runs file were left out.`,
    });
  }
  const measured = new Set(usable.runs.map((run) => run.question_id));
  const without = [...measured].filter((id) => entropies?.get(id)?.semantic === null).length;
  if (without > 0) {
    const rest =
      without === measured.size ? "its measures are null" : "its measures are over the other questions alone";
    warnings.push({
      code: "no-likelihood",
      message: `${set}: ${without} of ${measured.size} questions have no semantic_entropy, because they lack log-probabilities, so ${rest}. The SE probe does not need it: its labels come from discrete_semantic_entropy.`,
    });
  }
  if (entropies === null) {
    warnings.push({
      code: "no-entropy",
      message: `${set}: semantic entropy was not computed, so its measures are null. Run \`sep entropy\`.`,
    });
  }
  return warnings;
}

function countDropped(
  { set, usable, allRuns, duplicates, shared }: SourceSet,
  counts: Record<string, number>,
): void {
  counts[`${set}_duplicate_questions`] = duplicates.sameCount + duplicates.nearCount;
  if (set === "ood") counts.ood_also_in_math = shared.length;
  counts[`${set}_samples`] = allRuns.length;
  counts[`${set}_dropped_without_position`] = usable.withoutPosition;
  counts[`${set}_dropped_truncated`] = usable.truncated;
  counts[`${set}_dropped_without_entropy`] = usable.withoutEntropy;
}
