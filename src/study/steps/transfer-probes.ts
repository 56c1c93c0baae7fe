import { DEFAULT_RESAMPLES } from "../../evaluation/bootstrap-interval.ts";
import { DEFAULT_PERMUTATIONS, FEW_QUESTIONS } from "../../evaluation/evaluate-score.ts";
import { evaluateTransfer, type TransferTarget } from "../../evaluation/evaluate-transfer.ts";
import {
  TRANSFER_PROBES,
  type TransferEval,
  type TransferProbe,
  type TransferTraining,
} from "../../evaluation/transfer-eval.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { describeProbe } from "../../probes/describe-probe.ts";
import type { ClassWeight } from "../../probes/fit-logistic.ts";
import type { Probe, ProbeTarget, UntrainedProbe } from "../../probes/probe.ts";
import type { ProbeKind } from "../../probes/probe-weights.ts";
import type { SeThresholdChoice } from "../../probes/se-threshold.ts";
import { hasBothClasses } from "../../probes/split-questions.ts";
import { fitProbes } from "../../probes/sweep/fit-probes-node.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { reportFit, scoreStates, summariseProbe } from "../probes/score-study.ts";
import {
  describeTransferSet,
  listTransferInputs,
  openTransferSets,
  type TransferSet,
  warnOfLeftOut,
} from "../probes/transfer-sets.ts";
import { FITTING } from "../settings/probes.ts";
import { SEED } from "../settings/sampling.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";
import { runStep, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";

const SETTINGS = { ...FITTING, ...SEED };

export interface TransferProbesOptions extends SettingsInput<typeof SETTINGS> {
  readonly resamples?: number;
  readonly permutations?: number;
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

type ProbePair = Readonly<Record<TransferProbe, Probe | UntrainedProbe>>;

/**
 * How well probes carry over between data sets: fits the SE probe and the accuracy probe on the training questions of
 * every data set, and of all data sets but one, with layer, penalty and SE threshold chosen among the training questions
 * only, evaluates them on every data set's test questions and writes `transfer.json`. Each question set of a workspace is a
 * data set.
 * @param workspace where `transfer.json` goes
 * @param folders   finished studies, traced on the same model
 * @throws SepError `bad-option`, `probe-mismatch`, `too-few-questions`, and those of `runStep`
 */
export async function* transferProbes(
  workspace: Workspace,
  folders: readonly string[],
  {
    resamples = DEFAULT_RESAMPLES,
    permutations = DEFAULT_PERMUTATIONS,
    force = false,
    signal,
    ...options
  }: TransferProbesOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const { probe: kind, c: C, ...settings } = resolveSettings(SETTINGS, options);
  const { layer, window, classWeight, seThreshold, seed } = settings;
  const fitting = { kind, C, layer, window, classWeight, seThreshold, seed };
  const inference = { resamples, permutations, seed };
  const definition = {
    step: "transfer",
    part: "",
    inputs: await listTransferInputs(folders.map((folder) => openWorkspace(folder))),
    outputs: [workspace.transfer],
    settings: { ...fitting, ...inference, folders },
    whenStale: "redo",
  } as const;
  return yield* runStep(workspace, definition, { force }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    const sets = await openTransferSets(folders, seed);
    const warnings: ManifestWarning[] = [];
    const single: ProbePair[] = [];
    for (const [place, set] of sets.entries()) {
      const part = `source ${place + 1}/${sets.length}`;
      single.push(yield* fitPair([set], part, fitting, signal));
    }
    const pooled: ProbePair[] = [];
    for (const [place, set] of sets.length < 3 ? [] : [...sets.entries()]) {
      const others = sets.filter((other) => other !== set);
      const part = `all but ${place + 1}/${sets.length}`;
      pooled.push(yield* fitPair(others, part, fitting, signal));
    }
    if (sets.length < 3) {
      const message =
        "With two data sets, leaving one out is training on the other: there is no pooled training.";
      warnings.push({ code: "no-leave-one-out", message });
    }
    const about = { step: "transfer", part: "targets" } as const;
    yield { kind: "started", ...about, unit: "target", done: 0, total: sets.length };
    const targets: TransferTarget[] = [];
    for (const [place, set] of sets.entries()) {
      signal?.throwIfAborted();
      targets.push(await scoreTarget(set, single, pooled[place] ?? null));
      yield { kind: "advanced", ...about, done: place + 1, total: sets.length, detail: set.name };
    }
    warnings.push(
      ...warnOfLeftOut(sets),
      ...warnOfTargets(targets),
      ...warnOfUntrained(sets, single, pooled),
    );
    const evaluation: TransferEval = {
      datasets: sets.map(describeTransferSet),
      position: sets[0]!.train.position,
      training: describeTraining(sets, single, pooled),
      ...evaluateTransfer(targets, inference),
      source: sets[0]!.hidden.metadata,
      settings: inference,
      warnings,
    };
    await writeAtomic(workspace.transfer, `${stableStringify(evaluation as unknown as Json, 2)}\n`);
    for (const warning of warnings) yield { kind: "warning", ...about, warning };
    const leftOut = sets.reduce((sum, set) => sum + set.leftOut.length, 0);
    return { counts: { datasets: sets.length, test_questions_trained_on: leftOut }, warnings };
  });
}

interface FitSettings {
  readonly kind: ProbeKind;
  readonly C: number | "cv";
  readonly layer: number | "best";
  readonly window: number;
  readonly classWeight: ClassWeight;
  readonly seThreshold: SeThresholdChoice;
  readonly seed: number;
}

const TARGETS = {
  se_probe: "high-semantic-entropy",
  accuracy_probe: "incorrect",
} as const satisfies Record<TransferProbe, ProbeTarget>;

/** Both probes, fitted on the training questions of one or more data sets. */
async function* fitPair(
  sets: readonly TransferSet[],
  part: string,
  { seThreshold, C: c, ...settings }: FitSettings,
  signal: AbortSignal | undefined,
): AsyncGenerator<StepEvent, ProbePair> {
  signal?.throwIfAborted();
  const { position } = sets[0]!.train;
  // Data sets of different studies may use the same question ids.
  const questionIds = sets.flatMap(({ train }, i) => train.questionIds.map((question) => `${i}/${question}`));
  const fitting = fitProbes(
    {
      parts: sets.map(({ hidden, train }) => ({
        path: hidden.path,
        stateRows: { [position]: train.stateRows[position] ?? new Int32Array(train.correct.length).fill(-1) },
      })),
    },
    {
      [TARGETS.accuracy_probe]: {
        labels: sets.flatMap(({ train }) => Array.from(train.correct, (correct) => 1 - correct)),
      },
      [TARGETS.se_probe]: {
        values: sets.flatMap(({ train }) => Array.from(train.discreteSemanticEntropy)),
        threshold: seThreshold,
      },
    },
    questionIds,
    { ...settings, probe: settings.kind, c, position, groups: labelGroups(sets), signal },
  );
  const { fitted } = yield* reportFit(fitting, { step: "transfer", part }, 0);
  const source = sets[0]!.hidden.metadata;
  const describe = (target: ProbeTarget): Probe | UntrainedProbe =>
    describeProbe(fitted, target, questionIds, { ...settings, source });
  return { se_probe: describe(TARGETS.se_probe), accuracy_probe: describe(TARGETS.accuracy_probe) };
}

/** The question groups of all training rows; a question in two sets is one group. */
function labelGroups(sets: readonly TransferSet[]): readonly string[] {
  const labels = new Map<string, string>();
  return sets.flatMap(({ train, groupOf }, i) =>
    train.questionIds.map((id, row) => {
      const group = groupOf.get(id)!;
      const label = labels.get(group) ?? `${i}/${train.questionGroups[row]}`;
      labels.set(group, label);
      return label;
    }),
  );
}

async function scoreTarget(
  { name, test, hidden, groupOf }: TransferSet,
  single: readonly ProbePair[],
  pooled: ProbePair | null,
): Promise<TransferTarget> {
  const score = async (probe: Probe | UntrainedProbe): Promise<Float64Array | null> =>
    probe.kind === "untrained" ? null : scoreStates(probe, test, hidden);
  const scorePair = async (pair: ProbePair): Promise<Record<TransferProbe, Float64Array | null>> => ({
    se_probe: await score(pair.se_probe),
    accuracy_probe: await score(pair.accuracy_probe),
  });
  const bySource: Record<TransferProbe, Float64Array | null>[] = [];
  for (const pair of single) bySource.push(await scorePair(pair));
  return {
    name,
    questionGroups: test.questionIds.map((id) => groupOf.get(id)!),
    incorrect: test.correct.map((correct) => 1 - correct),
    untrained: {
      semantic_entropy: test.semanticEntropy,
      discrete_semantic_entropy: test.discreteSemanticEntropy,
      mean_think_entropy: test.meanThinkEntropy,
    },
    bySource,
    leaveOneOut: pooled && (await scorePair(pooled)),
  };
}

function describeTraining(
  sets: readonly TransferSet[],
  single: readonly ProbePair[],
  pooled: readonly ProbePair[],
): TransferEval["training"] {
  const describe = (
    pair: ProbePair,
    probe: TransferProbe,
    names: Pick<TransferTraining, "source" | "left_out">,
  ): TransferTraining => {
    const summary = summariseProbe(pair[probe]);
    return {
      ...names,
      layer: summary?.layer ?? null,
      C: summary?.C ?? null,
      cv_auc: summary?.cv_auc ?? null,
      training_rows: summary?.training_rows ?? 0,
      training_questions: summary?.training_questions ?? 0,
    };
  };
  const list = (probe: TransferProbe): TransferTraining[] => [
    ...single.map((pair, i) => describe(pair, probe, { source: sets[i]!.name, left_out: null })),
    ...pooled.map((pair, i) => describe(pair, probe, { source: null, left_out: sets[i]!.name })),
  ];
  return { se_probe: list("se_probe"), accuracy_probe: list("accuracy_probe") };
}

function warnOfTargets(targets: readonly TransferTarget[]): ManifestWarning[] {
  return targets.flatMap(({ name, questionGroups, incorrect, untrained }) => {
    const questions = new Set(questionGroups).size;
    const without = new Set(questionGroups.filter((_, row) => Number.isNaN(untrained.semantic_entropy[row])))
      .size;
    const rest = without === questions ? "its AUROC is null" : "its AUROC is over the other questions alone";
    const lacking = `${name}: ${without} of ${questions} test questions have no semantic_entropy, so ${rest}.`;
    const few = `${name}: ${questions} test questions: intervals and p-values from fewer than ${FEW_QUESTIONS} are rough. Add questions.`;
    const one = `${name}: its ${incorrect.length} test answers are all right or all wrong (one class); its AUROCs are null.`;
    return [
      ...(questions < FEW_QUESTIONS ? [{ code: "few-questions", message: few }] : []),
      ...(without > 0 ? [{ code: "no-likelihood", message: lacking }] : []),
      ...(hasBothClasses(incorrect) ? [] : [{ code: "one-class", message: one }]),
    ];
  });
}

function warnOfUntrained(
  sets: readonly TransferSet[],
  single: readonly ProbePair[],
  pooled: readonly ProbePair[],
): ManifestWarning[] {
  const named = [
    ...single.map((pair, i) => ({ pair, on: sets[i]!.name })),
    ...pooled.map((pair, i) => ({ pair, on: `all but ${sets[i]!.name}` })),
  ];
  return named.flatMap(({ pair, on }) =>
    TRANSFER_PROBES.flatMap((probe) =>
      pair[probe].warnings.map(({ code, message }) => ({ code, message: `${on}: ${message}` })),
    ),
  );
}
