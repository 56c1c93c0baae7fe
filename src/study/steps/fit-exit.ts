import { basename } from "node:path";
import { SepError } from "../../errors.ts";
import {
  type AchievedExit,
  achieveExit,
  type ExitResplits,
  type PolicyChain,
  resplitExits,
} from "../../evaluation/evaluate-exit.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { auroc } from "../../math/auroc.ts";
import { chooseExitThreshold, type ExitTarget } from "../../probes/choose-exit-threshold.ts";
import { describeProbe } from "../../probes/describe-probe.ts";
import type { Probe } from "../../probes/probe.ts";
import { scoreProbe } from "../../probes/score-probe.ts";
import {
  hasBothClasses,
  type QuestionSplit,
  type SplitRatios,
  splitQuestions,
} from "../../probes/split-questions.ts";
import { fitProbes } from "../../probes/sweep/fit-probes-node.ts";
import type { FittedProbes } from "../../probes/sweep/sweep-probes.ts";
import type { ChainLabel } from "../../probes/unit-labels.ts";
import { parseForcedAnswer } from "../../samples/forced-answers.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { readFeatures } from "../../states/feature-source.ts";
import { type HiddenStates, openHiddenStates } from "../../states/hidden-states.ts";
import { readStateRowIndex } from "../../states/state-index.ts";
import { readJsonl } from "../../store/jsonl.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import {
  type BudgetPoint,
  cutAtBudgets,
  type ExitAction,
  type ExitScore,
  type ForcedChain,
  findSettlement,
  gatherChains,
  policyChain,
  SCORES_OF,
  type Settlement,
} from "../exit/exit-chains.ts";
import { saveProbe, weightsPathOf } from "../probe-files.ts";
import { reportFit } from "../probes/score-study.ts";
import { groupDuplicates, questionTexts } from "../question-overlap.ts";
import { readStudySplit } from "../question-splits.ts";
import { EXIT_SETTINGS } from "../settings/exit.ts";
import { namedRatios, SPLIT } from "../settings/probes.ts";
import { type SEED, SEEDS, splitSeedOf } from "../settings/sampling.ts";
import { resolveSettings, type SettingsInput, type SettingsOutput } from "../settings/setting.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import type { Workspace } from "../workspace.ts";

const SETTINGS = { ...EXIT_SETTINGS, ...SPLIT, ...SEEDS };

export interface FitExitOptions extends StepControl, SettingsInput<typeof SETTINGS> {
  readonly signal?: AbortSignal | undefined;
}

/** What one score decides about one action. */
export interface ExitPolicy {
  readonly action: ExitAction;
  readonly score: ExitScore;
  /** Of all steps of the held-out chains, the score against whether acting there does harm; null where one class is missing. */
  readonly auroc: number | null;
  /** Chosen on the validation questions, in the units of the score: act at or below it. null with a reason. */
  readonly threshold: number | null;
  readonly reason: string | null;
  /** On the test questions, at this threshold. */
  readonly test: AchievedExit;
  /** Of validation and test questions together. */
  readonly resplits: ExitResplits;
}

/** Content of `artifacts/exit.json`. */
export interface FittedExit {
  readonly targets: {
    readonly stop: number;
    readonly give_up: number;
    readonly promise: ExitTarget["promise"];
    readonly confidence: number;
  };
  readonly chains: {
    readonly train: number;
    readonly validation: number;
    readonly test: number;
    /** Cut off by the token limit, in any split; in no number below but those of the budgets. */
    readonly censored: number;
  };
  /** Where answers were settled, of validation and test chains. */
  readonly settlement: Settlement;
  readonly policies: readonly ExitPolicy[];
  /** Of validation and test chains, censored ones as far as they go. */
  readonly budgets: readonly BudgetPoint[];
  /** Files of the probes beside this one, by the score that they give. */
  readonly probes: Readonly<Partial<Record<ExitScore, string>>>;
  readonly warnings: readonly ManifestWarning[];
}

const STEP = { step: "exit", part: "" } as const;
const BUDGETS = 12;
const PROBES = {
  "settled-probe": "not-settled",
  "right-probe": "forced-incorrect",
  "ends-wrong-probe": "final-incorrect",
} as const satisfies Partial<Record<ExitScore, ChainLabel>>;
type ProbeScore = keyof typeof PROBES;

/**
 * Fits when to leave a chain of reasoning: probes of its steps on the training questions, a threshold for stopping and one for
 * giving up on the validation questions, each with its promise, and what they save and risk on the test questions and on many
 * divisions of both; beside scores that need no hidden state.
 * @throws SepError `missing-input`, `too-few-questions`, `bad-option` if steps were not traced; those of `runStep`
 */
export async function* fitExit(
  workspace: Workspace,
  { force, plan, signal, ...options }: FitExitOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const { splitRatios, ...resolved } = resolveSettings(SETTINGS, options);
  const { splitSeed: _asked, ...settings } = { ...resolved, seed: splitSeedOf(resolved) };
  const given = splitRatios === undefined ? await readStudySplit(workspace) : null;
  const ratios = namedRatios(splitRatios);
  const probes = Object.keys(PROBES).map((score) => workspace.exitProbe(score as ProbeScore));
  const definition = {
    ...STEP,
    inputs: [
      ...(given === null ? [] : [workspace.raw("math")]),
      workspace.runs("math"),
      workspace.forcedAnswers("math"),
      workspace.hiddenStates("math"),
      workspace.hiddenStatesIndex("math"),
    ],
    outputs: [workspace.exit, ...probes, ...probes.map(weightsPathOf)],
    settings: { ...settings, ...(splitRatios === undefined ? {} : { ratios: { ...ratios } }) },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    const loaded = await loadChains(workspace, given, { ratios, seed: settings.seed });
    const { hidden, train } = loaded;
    const rows = rowsOf(
      train.filter(({ isCensored }) => !isCensored),
      loaded,
    );
    const fitting = fitProbes(
      { path: hidden.path, stateRows: { "step-end": Int32Array.from(rows, ({ row }) => row) } },
      Object.fromEntries(
        Object.values(PROBES).map((label) => [label, { labels: rows.map((each) => labelOf(each, label)) }]),
      ),
      rows.map(({ chain }) => chain.run.question_id),
      { groups: rows.map(({ chain }) => chain.questionGroup), seed: settings.seed, signal },
    );
    const { fitted, total } = yield* reportFit(fitting, STEP, 1);
    const saved = await saveProbes(workspace, fitted, rows, hidden, settings.seed);
    const result = await evaluatePolicies(loaded, saved.probes, settings);
    const warnings = [...saved.warnings, ...warnOfCensored(loaded)];
    const files = Object.fromEntries(
      [...saved.probes.keys()].map((score) => [score, basename(workspace.exitProbe(score))]),
    );
    const exit: FittedExit = { ...result, probes: files, warnings };
    await writeAtomic(workspace.exit, `${stableStringify(exit as unknown as Json, 2)}\n`);
    yield { kind: "advanced", ...STEP, done: total, total, detail: "thresholds" };
    for (const warning of warnings) yield { kind: "warning", ...STEP, warning };
    return { counts: { ...result.chains, training_steps: rows.length }, warnings };
  });
}

interface LoadedChains {
  readonly hidden: HiddenStates;
  readonly train: readonly ForcedChain[];
  readonly validation: readonly ForcedChain[];
  readonly test: readonly ForcedChain[];
  /** Row of the hidden states at the end of a chain's step; -1 if it has none. */
  readonly rowAt: (chain: ForcedChain, step: number) => number;
}

async function loadChains(
  workspace: Workspace,
  given: QuestionSplit | null,
  drawing: { readonly ratios: SplitRatios; readonly seed: number },
): Promise<LoadedChains> {
  const { runs } = await readRuns(workspace.runs("math"));
  const { rows: forced } = await readJsonl(workspace.forcedAnswers("math"), { parse: parseForcedAnswer });
  const hidden = await openHiddenStates(workspace.hiddenStates("math"));
  if (!hidden.positions.includes("step-end"))
    throw new SepError(
      "bad-option",
      `${hidden.path} has no states at the ends of steps; there are ${hidden.positions.join(", ")}. Read them with \`sep trace --positions step-end\`.`,
    );
  const index = await readStateRowIndex(workspace.hiddenStatesIndex("math"));
  const { groupOf } = groupDuplicates(questionTexts(runs)[0]!);
  const chains = gatherChains(runs, forced, groupOf);
  const split =
    given ??
    splitQuestions(
      runs.map(({ question_id }) => question_id),
      { ...drawing, groupOf },
    );
  const take = (ids: readonly string[]): ForcedChain[] => {
    const own = new Set(ids);
    return chains.filter(({ run }) => own.has(run.question_id));
  };
  return {
    hidden,
    train: take(split.train),
    validation: take(split.val),
    test: take(split.test),
    rowAt: ({ run, steps }, step) => index.rowOf("step-end", run.question_id, run.run_id, steps[step]!.span),
  };
}

/** A step with a hidden state. */
interface StepRow {
  readonly chain: ForcedChain;
  readonly step: number;
  readonly row: number;
}

const rowsOf = (chains: readonly ForcedChain[], { rowAt }: Pick<LoadedChains, "rowAt">): StepRow[] =>
  chains.flatMap((chain) =>
    chain.steps.flatMap((_, step) => {
      const row = rowAt(chain, step);
      return row === -1 ? [] : [{ chain, step, row }];
    }),
  );

function labelOf({ chain: { run, steps }, step }: StepRow, label: ChainLabel): 0 | 1 {
  if (label === "final-incorrect") return run.is_correct ? 0 : 1;
  if (label === "forced-incorrect") return steps[step]!.is_correct ? 0 : 1;
  return steps[step]!.is_final === true ? 0 : 1;
}

async function saveProbes(
  workspace: Workspace,
  fitted: FittedProbes,
  rows: readonly StepRow[],
  hidden: HiddenStates,
  seed: number,
): Promise<{
  readonly probes: ReadonlyMap<ProbeScore, Probe>;
  readonly warnings: readonly ManifestWarning[];
}> {
  const probes = new Map<ProbeScore, Probe>();
  const warnings: ManifestWarning[] = [];
  const questionIds = rows.map(({ chain }) => chain.run.question_id);
  for (const [score, label] of Object.entries(PROBES) as [ProbeScore, ChainLabel][]) {
    const target = { ...fitted, targets: { incorrect: fitted.targets[label]! } };
    const settings = { kind: "logistic", classWeight: "none", seed, source: hidden.metadata } as const;
    const probe = describeProbe(target, "incorrect", questionIds, settings);
    const named = probe.kind === "untrained" ? probe : { ...probe, label };
    await saveProbe(workspace.exitProbe(score), named);
    warnings.push(...named.warnings);
    if (named.kind !== "untrained") probes.set(score, named);
  }
  return { probes, warnings };
}

async function evaluatePolicies(
  { train, validation, test, hidden, rowAt }: LoadedChains,
  probes: ReadonlyMap<ProbeScore, Probe>,
  {
    targetRisk,
    giveUpRisk,
    promise,
    confidence,
    resplits,
    seed,
  }: SettingsOutput<typeof EXIT_SETTINGS & typeof SEED>,
): Promise<Omit<FittedExit, "probes" | "warnings">> {
  const known = (chains: readonly ForcedChain[]): ForcedChain[] =>
    chains.filter(({ isCensored }) => !isCensored);
  const [calibrating, testing] = [known(validation), known(test)];
  const held = [...calibrating, ...testing];
  if (calibrating.length === 0 || testing.length === 0)
    throw new SepError(
      "too-few-questions",
      `Of the held-out chains, ${calibrating.length} of the validation questions and ${testing.length} of the test questions ended within the token limit. Add questions, or allow more tokens.`,
    );
  const scoresOf = new Map<ProbeScore, ReadonlyMap<ForcedChain, Float64Array>>();
  for (const [score, probe] of probes) scoresOf.set(score, await scoreChains(probe, held, { hidden, rowAt }));
  const policies: ExitPolicy[] = [];
  for (const action of ["stop", "give-up"] as const) {
    const target = { target: action === "stop" ? targetRisk : giveUpRisk, promise, confidence };
    for (const score of SCORES_OF[action]) {
      const own = scoresOf.get(score as ProbeScore);
      if (score in PROBES && own === undefined) continue; // a warning says why it was not trained
      const see = (chains: readonly ForcedChain[]): PolicyChain[] =>
        chains.map((chain) => policyChain(chain, score, action, own?.get(chain) ?? []));
      const { threshold, reason } = chooseExitThreshold(see(calibrating), target);
      policies.push({
        action,
        score,
        auroc: aurocOf(see(held)),
        threshold,
        reason,
        test: achieveExit(see(testing), threshold),
        resplits: resplitExits(see(held), target, { resplits, seed }),
      });
    }
  }
  const censored = [...train, ...validation, ...test].filter(({ isCensored }) => isCensored).length;
  return {
    targets: { stop: targetRisk, give_up: giveUpRisk, promise, confidence },
    chains: {
      train: known(train).length,
      validation: calibrating.length,
      test: testing.length,
      censored,
    },
    settlement: findSettlement(held),
    policies,
    budgets: cutAtBudgets([...validation, ...test], BUDGETS),
  };
}

async function scoreChains(
  probe: Probe,
  chains: readonly ForcedChain[],
  { hidden, rowAt }: Pick<LoadedChains, "hidden" | "rowAt">,
): Promise<ReadonlyMap<ForcedChain, Float64Array>> {
  const rows = rowsOf(chains, { rowAt });
  const scores = new Map(
    chains.map((chain) => [chain, new Float64Array(chain.steps.length).fill(Number.NaN)]),
  );
  const { layer, layer_count: layerCount } = probe;
  const { features } = await readFeatures({
    kind: "file",
    path: hidden.path,
    position: "step-end",
    layers: Array.from({ length: layerCount }, (_, l) => layer! + l),
    rows: Int32Array.from(rows, ({ row }) => row),
  });
  const states = {
    features: "hidden-state",
    values: features,
    position: "step-end",
    layer: layer!,
    layerCount,
    width: hidden.width,
    source: hidden.metadata,
  } as const;
  scoreProbe(probe, states).forEach((score, i) => {
    scores.get(rows[i]!.chain)![rows[i]!.step] = score;
  });
  return scores;
}

function aurocOf(chains: readonly PolicyChain[]): number | null {
  const steps = chains.flatMap((chain) => chain.steps).filter(({ score }) => !Number.isNaN(score));
  const harms = steps.map(({ harm }) => harm);
  return hasBothClasses(harms)
    ? auroc(
        steps.map(({ score }) => score),
        harms,
      )
    : null;
}

function warnOfCensored({ train, validation, test }: LoadedChains): ManifestWarning[] {
  const all = [...train, ...validation, ...test];
  const count = all.filter(({ isCensored }) => isCensored).length;
  if (count === 0) return [];
  const message = `${count} of ${all.length} chains were cut off by the token limit. They are taken for neither right nor wrong, and left out of everything but the budgets.`;
  return [{ code: "censored-chains", message }];
}
