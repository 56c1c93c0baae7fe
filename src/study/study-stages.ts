import { createDisposables, type Disposables } from "../backends/local/disposables.ts";
import { openLocalBackend } from "../backends/local/open-local-backend.ts";
import { settleDevice } from "../backends/local/settle-device.ts";
import type { OpenBackend } from "../backends/open-backend.ts";
import { openVllmAnswers, openVllmStates } from "../backends/vllm/open-vllm.ts";
import { SepError } from "../errors.ts";
import { weightsPathOf } from "../probes/probe-file.ts";
import type { AnswerBackend } from "../samples/answer-backend.ts";
import { loadQuestions } from "../samples/load-questions.ts";
import type { StateBackend } from "../states/state-backend.ts";
import { isHandMade } from "../store/output-ownership.ts";
import { isPending } from "./decide-step.ts";
import { computeEntropy } from "./entropy/compute-entropy.ts";
import { checkMeaningChoice } from "./meaning/meaning-choice.ts";
import { createMeaningModels, type MeaningModels } from "./meaning/meaning-models.ts";
import { buildDatasets } from "./probes/build-datasets.ts";
import { evaluateProbes } from "./probes/evaluate-probes.ts";
import { trainProbes } from "./probes/train-probes.ts";
import { writeReport } from "./report/write-report.ts";
import type { AdaptiveOptions } from "./sampling/adaptive-k.ts";
import { asBest } from "./sampling/best-answer.ts";
import { generateRuns } from "./sampling/generate-runs.ts";
import type { GenerateRunsOptions } from "./sampling/plan-generation.ts";
import { prepareQuestions, warnOfOverlap } from "./sampling/prepare-questions.ts";
import { resolveSampler } from "./sampling/resolve-sampler.ts";
import type { StepControl, StepEvent, StepResult } from "./step.ts";
import { type RunPipelineOptions, STUDY_DEFAULTS } from "./study-options.ts";
import { traceRuns } from "./tracing/trace-runs.ts";
import { answersPath, bestPart } from "./tracing/traced-answers.ts";
import { type DataSetName, PROBE_SPLITS, SPLIT_SOURCES, type StepName, type Workspace } from "./workspace.ts";

/** One step of a study, over one question set or both, ready to be run or planned. */
export interface Stage {
  readonly step: StepName;
  readonly part: string;
  /** Files that other stages write and this one reads. */
  readonly reads: readonly string[];
  /** The main output first. */
  readonly writes: readonly string[];
  /** Whether it refuses to replace its work, and can say so before its inputs are there. */
  readonly keepsWork: boolean;
  /** What is to be said before it is run or planned. */
  readonly announce?: () => AsyncGenerator<StepEvent, void>;
  run(control: StepControl): AsyncGenerator<StepEvent, StepResult>;
  /** Lets go of what no later stage needs. */
  readonly release?: () => Promise<void>;
}

/** The stages of a study, with the models that they run on. */
export interface OpenStages extends AsyncDisposable {
  readonly stages: readonly Stage[];
}

/**
 * Settles all options of a study that can be settled without running a step, and opens its models, which take no memory
 * and start no server before they are asked.
 * @throws SepError `bad-option`, and as the models' openers do
 */
export async function* openStages(
  workspace: Workspace,
  options: RunPipelineOptions,
): AsyncGenerator<StepEvent, OpenStages> {
  const { models = createMeaningModels({ hub: options.hub, threads: options.threads }) } = options;
  requireSamples(options.runs ?? STUDY_DEFAULTS.runs);
  checkMeaningChoice(options.meaning ?? {});
  checkPlace(options);
  const adaptive = settleAdaptive(options, models);
  const sets = SPLIT_SOURCES.filter((set) => set === "math" || options.ood !== null);
  const sources = new Map<DataSetName, string>();
  for (const set of sets) {
    const chosen = set === "math" ? options.dataset : options.ood;
    const isGiven =
      chosen == null && options.force !== true && (await isHandMade(workspace, workspace.raw(set)));
    if (!isGiven) sources.set(set, chosen ?? (set === "math" ? STUDY_DEFAULTS.dataset : STUDY_DEFAULTS.ood));
  }
  const parts = createDisposables();
  let isOpen = false;
  try {
    const backends = yield* openBackends(workspace, options, parts);
    const stages = [
      ...prepareStages(workspace, sources, options),
      ...generateStages(workspace, sets, sources, backends.answers, adaptive, options),
      ...entropyStages(workspace, sets, { ...options, models }),
      ...traceStages(workspace, sets, backends.states, options),
      ...probeStages(workspace, sets, options),
    ];
    isOpen = true;
    return { stages, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
  } finally {
    if (!isOpen) await parts[Symbol.asyncDispose]();
  }
}

const end = async (opened: AsyncDisposable): Promise<void> => opened[Symbol.asyncDispose]();

const seedOf = ({ seed = STUDY_DEFAULTS.seed }: RunPipelineOptions): number => seed;

function prepareStages(
  workspace: Workspace,
  sources: ReadonlyMap<DataSetName, string>,
  { limit }: RunPipelineOptions,
): Stage[] {
  return [...sources].map(([set, source]) => ({
    step: "prepare",
    part: set,
    reads: [],
    writes: [workspace.raw(set)],
    keepsWork: true,
    run: (control) => prepareQuestions(workspace, set, { source, limit, ...control }),
  }));
}

function generateStages(
  workspace: Workspace,
  sets: readonly DataSetName[],
  sources: ReadonlyMap<DataSetName, string>,
  opened: OpenBackend<AnswerBackend>,
  adaptive: AdaptiveOptions | undefined,
  options: RunPipelineOptions,
): Stage[] {
  const { backend } = opened;
  const { limit, bestTemperature } = options;
  const sampler = resolveSampler(backend.model, options.sampler, options.samplerPreset);
  const always = {
    model: backend,
    promptFormat: options.promptFormat ?? "auto",
    systemPrompt: options.systemPrompt,
    enableThinking: options.enableThinking,
    runs: options.runs ?? STUDY_DEFAULTS.runs,
    limit,
    sampler: sampler.settings,
    samplerSources: sampler.sources,
    correctness: options.correctness,
    seed: seedOf(options),
    signal: options.signal,
  } as const;
  const best =
    bestTemperature === undefined ? null : asBest(sampler.settings, sampler.sources, bestTemperature);
  const stage = (set: DataSetName, own: Pick<GenerateRunsOptions, "answers" | "adaptive">): Stage => ({
    step: "generate",
    part: own.answers === "best" ? bestPart(set) : set,
    reads: [workspace.raw(set)],
    writes: [answersPath(workspace, set, own.answers)],
    keepsWork: true,
    ...(own.answers === "best" || sources.has(set) ? {} : { announce: () => announceGiven(workspace, set) }),
    async *run(control) {
      const source = sources.get(set);
      const isAhead = control.plan !== undefined && isPending(control.plan, workspace.raw(set));
      const pendingQuestions =
        isAhead && source !== undefined ? (await loadQuestions(source, { limit })).questions : undefined;
      return yield* generateRuns(workspace, set, { ...always, ...own, pendingQuestions, ...control });
    },
  });
  const stages = [
    ...sets.map((set) => stage(set, { adaptive })),
    ...(best === null ? [] : sets.map((set) => stage(set, best))),
  ];
  // two servers never share one GPU; the local engine is kept for the hidden states
  const last = options.vllm === undefined ? null : stages.at(-1);
  return stages.map((each) => (each === last ? { ...each, release: () => end(opened) } : each));
}

/** The user's own question file needs no step, and gets the warnings of one. */
async function* announceGiven(workspace: Workspace, set: DataSetName): AsyncGenerator<StepEvent, void> {
  yield { kind: "note", step: "prepare", part: set, message: `using ${workspace.raw(set)} as it is` };
  yield* warnOfOverlap(workspace, set);
}

function entropyStages(
  workspace: Workspace,
  sets: readonly DataSetName[],
  { meaning, models, estimates, seMode, signal }: RunPipelineOptions & { readonly models: MeaningModels },
): Stage[] {
  return sets.map((set) => ({
    step: "entropy",
    part: set,
    reads: [workspace.runs(set), workspace.bestRuns(set)],
    writes: [workspace.semanticEntropy(set), workspace.pairVerdicts(set)],
    keepsWork: false,
    run: (control) =>
      computeEntropy(workspace, set, { ...meaning, estimates, seMode, models, signal, ...control }),
  }));
}

function traceStages(
  workspace: Workspace,
  sets: readonly DataSetName[],
  opened: OpenBackend<StateBackend>,
  { positions, layers = "all", answers = "auto", signal }: RunPipelineOptions,
): Stage[] {
  return sets.map((set, i) => ({
    step: "trace",
    part: set,
    reads: [workspace.runs(set), workspace.bestRuns(set)],
    writes: [workspace.hiddenStates(set), workspace.hiddenStatesIndex(set)],
    keepsWork: false,
    run: (control) =>
      traceRuns(workspace, set, {
        model: opened.backend,
        ...(positions === undefined ? {} : { positions }),
        layers,
        answers,
        signal,
        ...control,
      }),
    // its memory is free before probes are fitted
    ...(i === sets.length - 1 ? { release: () => end(opened) } : {}),
  }));
}

function probeStages(
  workspace: Workspace,
  sets: readonly DataSetName[],
  options: RunPipelineOptions,
): Stage[] {
  const { signal, layer = "best" } = options;
  const always = { seed: seedOf(options), ...(signal === undefined ? {} : { signal }) };
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
          position: options.position ?? "auto",
          layer: layer === "best" ? "last" : layer,
          missingPosition: options.missingPosition ?? "drop",
          sets,
          ...control,
        }),
    },
    {
      ...common,
      step: "train",
      reads: [...datasets, ...states],
      writes: models,
      run: (control) =>
        trainProbes(workspace, {
          ...always,
          layer,
          window: options.window ?? 1,
          seThreshold: options.seThreshold ?? "best-split",
          kind: options.probe ?? "logistic",
          C: options.C ?? "cv",
          classWeight: options.classWeight ?? "none",
          nested: options.nested ?? false,
          permutations: options.probePermutations ?? 0,
          ...control,
        }),
    },
    {
      ...common,
      step: "eval",
      reads: [...models, ...datasets, ...states],
      writes: [workspace.probeEval],
      run: (control) => evaluateProbes(workspace, { ...always, ...control }),
    },
    {
      ...common,
      step: "report",
      reads: [workspace.probeEval, ...models, ...datasets, ...states],
      writes: [workspace.report],
      run: (control) =>
        writeReport(workspace, {
          figures: options.figures,
          ...(signal === undefined ? {} : { signal }),
          ...control,
        }),
    },
  ];
}

interface OpenBackends {
  readonly answers: OpenBackend<AnswerBackend>;
  readonly states: OpenBackend<StateBackend>;
}

/** Both are ended with `parts`, or before, and only once. */
async function* openBackends(
  { root }: Workspace,
  options: RunPipelineOptions,
  parts: Disposables,
): AsyncGenerator<StepEvent, OpenBackends> {
  const { vllm, model = STUDY_DEFAULTS.model, layers = "all", hub, signal } = options;
  const keep = <Backend>(opened: OpenBackend<Backend>): OpenBackend<Backend> => {
    const own = createDisposables();
    own.use(opened);
    return parts.use({ backend: opened.backend, [Symbol.asyncDispose]: () => own[Symbol.asyncDispose]() });
  };
  if (vllm !== undefined) {
    const answers = keep(yield* openVllmAnswers(model, vllm, { root, hub, signal }));
    return { answers, states: keep(yield* openVllmStates(model, layers, vllm, { root, hub, signal })) };
  }
  const { threads, memoryBytes, device: asked, dtype = "float32" } = options;
  const device = yield* settleDevice(asked, { dtype });
  const opening = { device, threads, memoryBytes, hub, signal };
  const answers = keep(yield* openLocalBackend(model, { ...opening, dtype }));
  // hidden states are read in float32, whatever the answers are drawn in
  return { answers, states: dtype === "float32" ? answers : keep(yield* openLocalBackend(model, opening)) };
}

function requireSamples(runs: number): void {
  if (runs >= 2) return;
  throw new SepError(
    "bad-option",
    `Got --runs ${runs}, and semantic entropy compares the answers to a question, so that it takes 2 or more. Give --runs 2 at least; papers use 10. \`sep generate --runs 1\` draws single answers without the other steps.`,
  );
}

/** A slip here should not show after hours. */
function checkPlace({
  positions,
  position = "auto",
  layers,
  layer = "best",
  window = 1,
}: RunPipelineOptions): void {
  if (position !== "auto" && positions !== undefined && !positions.includes(position)) {
    throw new SepError(
      "bad-option",
      `Got position ${position} for the probes, and hidden states are read at ${positions.join(", ")} only. Add it to --positions.`,
    );
  }
  const names = layers === undefined || layers === "all" ? null : layers;
  const missing = Array.from({ length: window }, (_, i) => (layer as number) + i).filter(
    (each) => layer !== "best" && names !== null && !names.includes(each),
  );
  if (missing.length > 0) {
    throw new SepError(
      "bad-option",
      `Got layer ${missing.join(", ")} for the probes, and hidden states are read in layers ${names?.join(", ")} only. Add it to --layers.`,
    );
  }
}

/** The threshold of a rule is known only when all answers are there. */
function settleAdaptive(
  { adaptive = false, seThreshold = "best-split", meaning }: RunPipelineOptions,
  models: MeaningModels,
): AdaptiveOptions | undefined {
  if (!adaptive) return undefined;
  if (typeof seThreshold === "number") return { seThreshold, meaning, models };
  throw new SepError(
    "bad-option",
    `Got adaptive sampling with the entropy threshold ${seThreshold}, which takes all answers to work out. Give nats with --se-threshold; \`sep train\` writes those of an earlier study to se_threshold.json.`,
  );
}
