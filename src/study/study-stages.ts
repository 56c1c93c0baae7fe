import type { Backend, OpenBackend } from "../backends/backend.ts";
import { createDisposables, type Disposables } from "../backends/disposables.ts";
import { requirePart } from "../backends/load-backend.ts";
import type { HubOptions } from "../checkpoint/hub/hub.ts";
import { openDevice } from "../checkpoint/resolve-device.ts";
import type { ModelDtype } from "../engine/runtime/device.ts";
import { SepError } from "../errors.ts";
import { drain } from "../net/map-concurrently.ts";
import type { AnswerBackend } from "../samples/answer-backend.ts";
import { loadQuestions } from "../samples/load-questions.ts";
import { locateQuestions } from "../samples/locate-questions.ts";
import type { Question } from "../samples/question.ts";
import type { StateBackend } from "../states/state-backend.ts";
import { isHandMade } from "../store/output-ownership.ts";
import { isPending } from "./decide-step.ts";
import { computeEntropy } from "./entropy/compute-entropy.ts";
import { createMeaningModels, type MeaningModels } from "./meaning/meaning-models.ts";
import { checkMeaningChoice } from "./meaning/open-equivalence.ts";
import { localDtypeOf, openBackend, openEngine } from "./open-backends.ts";
import { weightsPathOf } from "./probe-files.ts";
import { readGivenSplit, readStudySplit } from "./question-splits.ts";
import type { AdaptiveOptions } from "./sampling/adaptive-k.ts";
import type { DtypeChoice } from "./sampling/choose-dtype.ts";
import { type GradingChoice, resolveGrading } from "./sampling/grade-runs.ts";
import { openSampling } from "./sampling/open-sampling.ts";
import { type GenerateRunsOptions, type ReadPrompt, readPrompt } from "./sampling/plan-generation.ts";
import { asBest, resolveSampler } from "./sampling/resolve-sampler.ts";
import { isLocal, refuseIdleSettings } from "./settings/backends.ts";
import { DEFAULT_DATASET, DEFAULT_OOD, parseSeeds } from "./settings/sampling.ts";
import { checkPlace, STUDY, type StudySettings } from "./settings/study.ts";
import type { StepControl, StepEvent, StepResult } from "./step.ts";
import { buildDatasets } from "./steps/build-datasets.ts";
import { evaluateProbes } from "./steps/evaluate-probes.ts";
import { generateRuns } from "./steps/generate-runs.ts";
import { prepareQuestions, questionChoice, warnOfOverlap } from "./steps/prepare-questions.ts";
import { repeatSeeds } from "./steps/repeat-seeds.ts";
import { traceRuns } from "./steps/trace-runs.ts";
import { trainProbes } from "./steps/train-probes.ts";
import { writeReport } from "./steps/write-report.ts";
import { answersPath, answersToTrace, bestPart } from "./study-answers.ts";
import { type DataSetName, PROBE_SPLITS, SPLIT_SOURCES, type StepName, type Workspace } from "./workspace.ts";

/** One step of a study, over one question set or both, ready to be run or planned. */
export interface Stage {
  readonly step: StepName;
  readonly part: string;
  /** Files that other stages write and this one reads. */
  readonly reads: readonly string[];
  /** The main output first. */
  readonly writes: readonly string[];
  /** Whether it refuses to replace its work, and can say so before its inputs exist. */
  readonly keepsWork: boolean;
  /** Events to report before it is run or planned. */
  readonly announce?: () => AsyncGenerator<StepEvent, void>;
  run(control: StepControl): AsyncGenerator<StepEvent, StepResult>;
  /** Lets go of what no later stage needs. */
  readonly release?: () => Promise<void>;
}

/** What a study needs beside its settings. */
export interface StudyControl extends StepControl {
  /** Where and how to look for models on the hub; by default from the environment variables. */
  readonly hub?: HubOptions | undefined;
  /** Opens your own backend, which samples the answers and reads the states; by default the one that the settings name. */
  readonly openBackend?: OpenBackend | undefined;
  /** Where NLI models, embedding models and judges come from; by default the hub and its cache. */
  readonly models?: MeaningModels | undefined;
  /** Whether `--dtype auto` may take a measurement; a plan of what would be done takes none. */
  readonly measures?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The stages of a study, with the models that they run on. */
interface OpenStages extends AsyncDisposable {
  readonly stages: readonly Stage[];
}

/**
 * Checks all settings of a study that can be checked without running a step, and opens its models, which take no memory
 * and start no server before they are asked.
 * @throws SepError `bad-option`, and as the models' openers do
 */
export async function* openStages(
  workspace: Workspace,
  settings: StudySettings,
  control: StudyControl,
): AsyncGenerator<StepEvent, OpenStages> {
  const { models = createMeaningModels({ hub: control.hub, threads: settings.threads }) } = control;
  refuseIdleSettings(STUDY, settings);
  requireSamples(settings.runs);
  checkMeaningChoice(settings);
  checkPlace(settings);
  const study: Study = {
    workspace,
    settings,
    models,
    hub: control.hub,
    signal: control.signal,
    sets: SPLIT_SOURCES.filter((set) => set === "math" || settings.ood !== "none"),
    sources: new Map(),
    prompt: yield* readPrompt(settings, control),
    adaptive: resolveAdaptive(settings, models),
    grading: resolveGrading(settings, models),
  };
  for (const set of study.sets) {
    const chosen = set === "math" ? settings.dataset : settings.ood;
    const isGiven =
      chosen === undefined && control.force !== true && (await isHandMade(workspace, workspace.raw(set)));
    if (!isGiven) study.sources.set(set, chosen ?? (set === "math" ? DEFAULT_DATASET : DEFAULT_OOD));
  }
  yield* checkSplit(study);
  const parts = createDisposables();
  let isOpen = false;
  try {
    const backends = yield* openBackends(study, control, parts);
    const stages = [
      ...prepareStages(study),
      ...generateStages(study, backends),
      ...entropyStages(study),
      ...traceStages(study, backends),
      ...probeStages(study),
    ];
    isOpen = true;
    return { stages, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
  } finally {
    if (!isOpen) await parts[Symbol.asyncDispose]();
  }
}

/** What every stage of a study is made of. */
interface Study {
  readonly workspace: Workspace;
  readonly settings: StudySettings;
  readonly models: MeaningModels;
  readonly hub: HubOptions | undefined;
  readonly signal: AbortSignal | undefined;
  readonly sets: readonly DataSetName[];
  /** Where each set's questions come from; none for a file that the user has provided. */
  readonly sources: Map<DataSetName, string>;
  readonly prompt: ReadPrompt;
  readonly adaptive: AdaptiveOptions | undefined;
  readonly grading: GradingChoice;
}

function prepareStages({ workspace, settings, sources, hub, signal }: Study): Stage[] {
  return [...sources].map(([set, source]) => ({
    step: "prepare",
    part: set,
    reads: [],
    writes: [workspace.raw(set)],
    keepsWork: true,
    run: (control) =>
      prepareQuestions(workspace, set, { source, ...questionChoice(settings), hub, signal, ...control }),
  }));
}

function generateStages(
  study: Study,
  { answers: backend, dtypeChoice, isOnePass, states }: OpenBackends,
): Stage[] {
  const { workspace, settings, sets, sources, adaptive, signal } = study;
  const { positions, layers } = settings;
  const { limit, runs, seed, bestAnswer, bestTemperature } = settings;
  const sampler = resolveSampler(backend.model, settings);
  const always = {
    model: backend,
    dtypeChoice,
    ...study.prompt,
    ...study.grading,
    runs,
    limit,
    sampler: sampler.settings,
    samplerSources: sampler.sources,
    seed,
    signal,
  } as const;
  const best = bestAnswer ? asBest(sampler.settings, sampler.sources, bestTemperature) : null;
  const stage = (set: DataSetName, own: Pick<GenerateRunsOptions, "answers" | "adaptive">): Stage => ({
    step: "generate",
    part: own.answers === "best" ? bestPart(set) : set,
    reads: [workspace.raw(set)],
    writes: [answersPath(workspace, set, own.answers)],
    keepsWork: true,
    ...(own.answers === "best" || sources.has(set) ? {} : { announce: () => announceGiven(workspace, set) }),
    async *run(control) {
      const isAhead = control.plan !== undefined && isPending(control.plan, workspace.raw(set));
      const pendingQuestions = isAhead ? yield* loadSource(study, set) : undefined;
      const traced = await answersToTrace(workspace, set, settings.answers, bestAnswer);
      const isTraced = isOnePass && traced === (own.answers ?? "samples");
      return yield* generateRuns(workspace, set, {
        ...always,
        ...own,
        states: isTraced ? { backend: states, positions, layers } : undefined,
        pendingQuestions,
        ...control,
      });
    },
  });
  const stages = [
    ...sets.map((set) => stage(set, { adaptive })),
    ...(best === null ? [] : sets.map((set) => stage(set, best))),
  ];
  // what reads the hidden states too is kept for them
  const last = stages.at(-1);
  const release = async (): Promise<void> => backend[Symbol.asyncDispose]?.();
  return stages.map((each) => (each === last ? { ...each, release } : each));
}

/** What a set's question file will hold; undefined for a file of the user's. */
async function* loadSource(
  { sources, settings, hub, signal }: Study,
  set: DataSetName,
): AsyncGenerator<StepEvent, readonly Question[] | undefined> {
  const source = sources.get(set);
  if (source === undefined) return undefined;
  const located = yield* locateQuestions(source, { hub, signal });
  return (await loadQuestions(located, questionChoice(settings))).questions;
}

/** Answers take hours, and a split that cannot be used should show before. */
async function* checkSplit(study: Study): AsyncGenerator<StepEvent, void> {
  if (study.settings.splitRatios !== undefined) return;
  const questions = yield* loadSource(study, "math");
  if (questions === undefined) await readStudySplit(study.workspace);
  else readGivenSplit(questions);
}

/** The user's own question file needs no step, but gets its warnings. */
async function* announceGiven(workspace: Workspace, set: DataSetName): AsyncGenerator<StepEvent, void> {
  yield { kind: "note", step: "prepare", part: set, message: `using ${workspace.raw(set)} as it is` };
  yield* warnOfOverlap(workspace, set);
}

function entropyStages({ workspace, settings, sets, models, signal }: Study): Stage[] {
  return sets.map((set) => ({
    step: "entropy",
    part: set,
    reads: [workspace.runs(set), workspace.bestRuns(set)],
    writes: [workspace.semanticEntropy(set), workspace.pairVerdicts(set)],
    keepsWork: false,
    run: (control) => computeEntropy(workspace, set, { ...settings, models, signal, ...control }),
  }));
}

function traceStages(
  { workspace, settings, sets, signal }: Study,
  { states: model, isOnePass, release }: OpenBackends,
): Stage[] {
  // with --force, too: what was kept is of the answers that were just sampled
  const always = { ...settings, model, signal, ...(isOnePass ? { takeSampled: true } : {}) };
  return sets.map((set, i) => ({
    step: "trace",
    part: set,
    reads: [workspace.runs(set), workspace.bestRuns(set)],
    writes: [workspace.hiddenStates(set), workspace.hiddenStatesIndex(set)],
    keepsWork: false,
    run: (control) => traceRuns(workspace, set, { ...always, ...control }),
    // its memory is free before probes are fitted
    ...(i === sets.length - 1 ? { release } : {}),
  }));
}

function probeStages({ workspace, settings, sets, signal }: Study): Stage[] {
  const { layer, seed, splitSeed, seeds } = settings;
  const always = { ...settings, signal };
  const withOod = sets.includes("ood");
  const splits = PROBE_SPLITS.filter((split) => withOod || split !== "ood_test");
  const datasets = splits.map((split) => workspace.probeDataset(split));
  const states = sets.map((set) => workspace.hiddenStates(set));
  const probes = [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline];
  const models = [...probes, ...probes.map(weightsPathOf), workspace.seThreshold];
  const common = { part: "", keepsWork: false } as const;
  return [
    {
      ...common,
      step: "dataset",
      reads: [...states, ...sets.flatMap((set) => [workspace.runs(set), workspace.semanticEntropy(set)])],
      writes: datasets,
      run: (control) =>
        buildDatasets(workspace, {
          ...always,
          layer: layer === "best" ? "last" : layer,
          sets,
          ...control,
        }),
    },
    {
      ...common,
      step: "train",
      reads: [...datasets, ...states],
      writes: models,
      // a whole run's probes read the position of its data sets
      run: (control) => trainProbes(workspace, { ...always, positions: "dataset", ...control }),
    },
    {
      ...common,
      step: "eval",
      reads: [...models, ...datasets, ...states],
      writes: [workspace.probeEval],
      run: (control) => evaluateProbes(workspace, { signal, seed, splitSeed, ...control }),
    },
    ...(seeds === undefined
      ? []
      : [
          {
            step: "eval" as const,
            part: "seeds",
            keepsWork: false,
            reads: [workspace.probeEval, ...models, ...datasets, ...states],
            writes: [workspace.seeds],
            run: (control: StepControl) =>
              repeatSeeds(workspace, { seeds: parseSeeds(seeds) ?? [], signal, ...control }),
          },
        ]),
    {
      ...common,
      step: "report",
      reads: [
        ...(seeds === undefined ? [] : [workspace.seeds]),
        workspace.probeEval,
        ...models,
        ...datasets,
        ...states,
      ],
      writes: [workspace.report],
      run: (control) => writeReport(workspace, { ...always, ...control }),
    },
  ];
}

interface OpenBackends {
  readonly answers: AnswerBackend;
  readonly states: StateBackend;
  readonly dtypeChoice: DtypeChoice | null;
  /** Whether states are read in the passes that sample. */
  readonly isOnePass: boolean;
  /** Ends them before the study's end. */
  release(): Promise<void>;
}

async function* openBackends(
  study: Study,
  { hub, openBackend: openOwn, force = false, measures }: StudyControl,
  parts: Disposables,
): AsyncGenerator<StepEvent, OpenBackends> {
  const { workspace, settings, sets, prompt, signal } = study;
  const { root } = workspace;
  const own = parts.use(createDisposables());
  const release = async (): Promise<void> => own[Symbol.asyncDispose]();
  const keep = <Opened extends Backend>(opened: Opened): Opened => own.use(opened);
  const opening = { root, hub, signal };
  const isOnePass = settings.withStates;
  if (openOwn !== undefined || !isLocal(settings.backend)) {
    const { model, layers } = settings;
    const opened = keep(
      yield* openOwn === undefined
        ? openBackend({ ...settings, withStates: true }, { ...opening, step: "generate" })
        : openOwn(model, { ...opening, layers }),
    );
    const [answers, states] = [requirePart(opened, "answers"), requirePart(opened, "states")];
    return { answers, states, dtypeChoice: null, isOnePass, release };
  }
  const device = yield* openDevice(settings.device, { dtype: localDtypeOf(settings.dtype) });
  const { backend, dtypeChoice } = yield* openSampling(settings, {
    ...{ workspace, sets, force, prompt, limit: settings.limit, hub, signal, device, measures },
    pendingQuestions: (set) => drain(loadSource(study, set)),
  });
  const sampling = keep(backend);
  const [answers, states] = [requirePart(sampling, "answers"), requirePart(sampling, "states")];
  const { dtype } = answers.identity as { readonly dtype: ModelDtype };
  if (dtype === "float32") return { answers, states, dtypeChoice, isOnePass, release };
  // hidden states are always read in float32, whatever dtype samples the answers
  const reading = keep(
    yield* openEngine({ ...settings, dtype: "float32" }, { ...opening, device, step: "trace" }),
  );
  return { answers, states: reading.states, dtypeChoice, isOnePass, release };
}

function requireSamples(runs: number): void {
  if (runs >= 2) return;
  throw new SepError(
    "bad-option",
    `Got --runs ${runs}, but semantic entropy compares the answers to a question and needs 2 or more. Give at least --runs 2; papers use 10. \`sep generate --runs 1\` samples single answers without the other steps.`,
  );
}

/** The threshold of a rule is known only after all answers. */
function resolveAdaptive(settings: StudySettings, models: MeaningModels): AdaptiveOptions | undefined {
  const { adaptive, seThreshold } = settings;
  if (!adaptive) return undefined;
  if (typeof seThreshold === "number") return { seThreshold, meaning: settings, models };
  throw new SepError(
    "bad-option",
    `Got adaptive sampling with the entropy threshold ${seThreshold}, which can only be computed from all answers. Give nats with --se-threshold; \`sep train\` writes those of an earlier study to se_threshold.json.`,
  );
}
