import type { EstimateChoice } from "../entropy/estimates/estimate-registry.ts";
import type { SeModeName } from "../entropy/se-mode.ts";
import { SepError } from "../errors.ts";
import type { DeviceChoice } from "../models/device/device.ts";
import type { HubOptions } from "../models/hub/hub.ts";
import type { ModelDtype } from "../models/language-model.ts";
import type { ClassWeight } from "../probes/fit-logistic.ts";
import type { ProbeKind } from "../probes/probe-kind.ts";
import type { SeThresholdChoice } from "../probes/se-threshold.ts";
import type { FigureFormat } from "../report/figure.ts";
import type { AnswerBackend } from "../sampling/answer-backend.ts";
import type { CorrectnessRule } from "../text/correctness-rule.ts";
import type { TracePosition } from "../tracing/positions.ts";
import type { StateBackend } from "../tracing/state-backend.ts";
import { computeEntropy } from "./entropy/compute-entropy.ts";
import type { MeaningChoice } from "./meaning/meaning-choice.ts";
import { createMeaningModels, type MeaningModels } from "./meaning/meaning-models.ts";
import { createDisposables } from "./models/disposables.ts";
import { openLocalBackend } from "./models/open-local-backend.ts";
import { openVllmAnswers, openVllmStates } from "./models/open-vllm.ts";
import { settleDevice } from "./models/settle-device.ts";
import type { VllmChoice } from "./models/vllm-choice.ts";
import { isHandMade } from "./output-ownership.ts";
import { buildDatasets } from "./probes/build-datasets.ts";
import { evaluateProbes } from "./probes/evaluate-probes.ts";
import { trainProbes } from "./probes/train-probes.ts";
import { writeReport } from "./report/write-report.ts";
import type { AdaptiveOptions } from "./sampling/adaptive-k.ts";
import { asBest } from "./sampling/best-answer.ts";
import { generateRuns } from "./sampling/generate-runs.ts";
import type { StudyPromptFormat } from "./sampling/plan-generation.ts";
import { prepareQuestions } from "./sampling/prepare-questions.ts";
import { resolveSampler, type SamplerChoice, type SamplerPreset } from "./sampling/resolve-sampler.ts";
import type { StepEvent, StepResult } from "./step.ts";
import { STUDY_DEFAULTS } from "./study-defaults.ts";
import { traceRuns } from "./tracing/trace-runs.ts";
import type { AnswerRole } from "./tracing/traced-answers.ts";
import { type DataSetName, SPLIT_SOURCES, type Workspace } from "./workspace.ts";

/** A whole study. Every option has a default; `docs/cli.md` lists them with the flags of the same names. */
export interface RunPipelineOptions {
  /**
   * Questions in distribution: a built-in set's name or a file. When not given: the raw file that is there if it
   * was put there or edited by hand, else the built-in set.
   */
  readonly dataset?: string | undefined;
  /** The same for questions out of distribution; null leaves them out. */
  readonly ood?: string | null | undefined;
  /** Questions to take of each set; all when not given. */
  readonly limit?: number | undefined;
  /** "pocket", a model's directory, or a model of the Hugging Face hub: "org/name", "org/name@revision". */
  readonly model?: string;
  /** vLLM servers that draw the answers and read the states; the local engine when not given. */
  readonly vllm?: VllmChoice | undefined;
  /** Where and how to look for models of the hub; by the environment's variables when not given. */
  readonly hub?: HubOptions | undefined;
  /** Samples a question. */
  readonly runs?: number;
  readonly sampler?: SamplerChoice;
  /** Whose settings hold where `sampler` has none. */
  readonly samplerPreset?: SamplerPreset;
  readonly promptFormat?: StudyPromptFormat;
  readonly systemPrompt?: string | undefined;
  /** undefined leaves it to the chat template. */
  readonly enableThinking?: boolean | undefined;
  readonly correctness?: CorrectnessRule | "auto";
  /** Temperature of one careful answer a question that probes are trained and judged on; none when not given. */
  readonly bestTemperature?: number | undefined;
  readonly threads?: number | undefined;
  /** What to compute on, the processor by default. */
  readonly device?: DeviceChoice | undefined;
  /** Bound on what all copies of the model take in memory; a quarter of what there is by default. */
  readonly memoryBytes?: number | undefined;
  /** Arithmetic that answers are drawn with; hidden states are always read in float32. */
  readonly dtype?: ModelDtype | undefined;
  /** When two answers mean the same, and how pairs become groups. */
  readonly meaning?: MeaningChoice | undefined;
  /** Draw no more answers than it takes to tell on which side of `seThreshold`, in nats, a question is. */
  readonly adaptive?: boolean | undefined;
  /** Where models of meaning come from; the hub and its cache when not given. */
  readonly models?: MeaningModels | undefined;
  readonly estimates?: EstimateChoice | undefined;
  readonly seMode?: SeModeName | undefined;
  /** Where hidden states are read; every position when not given. */
  readonly positions?: readonly TracePosition[];
  readonly layers?: "all" | readonly number[];
  /** Whose hidden states; `auto` is the best answers' where there are any, else the samples'. */
  readonly answers?: AnswerRole | "auto";
  /** The position and layer that the probes read. */
  readonly position?: TracePosition | "auto";
  readonly layer?: number | "best";
  readonly missingPosition?: "drop" | "refuse";
  readonly seThreshold?: SeThresholdChoice;
  readonly probe?: ProbeKind;
  /** Layers in a row that a probe reads. */
  readonly window?: number;
  readonly C?: number | "cv";
  readonly classWeight?: ClassWeight;
  readonly nested?: boolean;
  /** Label permutations to refit and test the probes with; 0 for no test. */
  readonly probePermutations?: number;
  /** What the report's figures are written as, beside CSV; as they are there when not given, and SVG at first. */
  readonly figures?: readonly FigureFormat[] | undefined;
  readonly seed?: number;
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

type ModelOptions = Pick<
  RunPipelineOptions,
  "model" | "hub" | "threads" | "memoryBytes" | "device" | "dtype"
>;

/**
 * All seven steps and the report, one after the other: questions, answers, entropies, hidden states, data sets,
 * probes, evaluation. Steps whose outputs are current are skipped, so a second run goes on where the first one stopped.
 * @returns the result of each part of each step, in order
 * @throws SepError as the steps do; the signal's reason when it is aborted between steps
 */
export async function* runPipeline(
  workspace: Workspace,
  options: RunPipelineOptions = {},
): AsyncGenerator<StepEvent, readonly StepResult[]> {
  const { seed = STUDY_DEFAULTS.seed, force = false, signal } = options;
  const always = { seed, force, ...(signal === undefined ? {} : { signal }) };
  const sets = SPLIT_SOURCES.filter((set) => set === "math" || options.ood !== null);
  const results: StepResult[] = [];
  const { models = createMeaningModels({ hub: options.hub, threads: options.threads }) } = options;
  const adaptive = settleAdaptive(options, models);

  for (const set of sets) {
    const chosen = set === "math" ? options.dataset : options.ood;
    if (chosen == null && !force && (await isHandMade(workspace, workspace.raw(set)))) {
      yield { kind: "note", step: "prepare", part: set, message: `using ${workspace.raw(set)} as it is` };
      continue;
    }
    const source = chosen ?? (set === "math" ? STUDY_DEFAULTS.dataset : STUDY_DEFAULTS.ood);
    results.push(yield* prepareQuestions(workspace, set, { source, limit: options.limit, force }));
  }
  results.push(...(yield* runModel(workspace, sets, { ...options, models, adaptive }, always)));
  signal?.throwIfAborted();
  const { position = "auto", layer = "best", missingPosition = "drop" } = options;
  const exported = layer === "best" ? "last" : layer;
  results.push(yield* buildDatasets(workspace, { ...always, position, layer: exported, missingPosition }));
  const { seThreshold = "best-split", probe = "logistic", C = "cv", classWeight = "none" } = options;
  const { window = 1, nested = false, probePermutations: permutations = 0 } = options;
  const training = { layer, window, seThreshold, kind: probe, C, classWeight, nested, permutations };
  results.push(yield* trainProbes(workspace, { ...always, ...training }));
  signal?.throwIfAborted();
  results.push(yield* evaluateProbes(workspace, always));
  results.push(yield* writeReport(workspace, { ...always, figures: options.figures }));
  return results;
}

/**
 * Steps 2 to 4. A local model is loaded once, and let go before probes are fitted; a server is there only for its own
 * steps, so that two never share one GPU.
 */
async function* runModel(
  workspace: Workspace,
  sets: readonly DataSetName[],
  options: Omit<RunPipelineOptions, "adaptive"> & {
    readonly models: MeaningModels;
    readonly adaptive: AdaptiveOptions | undefined;
  },
  always: { readonly seed: number; readonly force: boolean; readonly signal?: AbortSignal },
): AsyncGenerator<StepEvent, StepResult[]> {
  const results: StepResult[] = [];
  const { root } = workspace;
  const { vllm, model = STUDY_DEFAULTS.model, layers = "all", hub } = options;
  const { signal } = always;
  await using local = vllm === undefined ? yield* openLocalPair(options, signal) : null;
  {
    await using served =
      vllm === undefined ? null : yield* openVllmAnswers(model, vllm, { root, hub, signal });
    const answers = (local?.answers ?? served?.backend) as AnswerBackend;
    const sampler = resolveSampler(answers.model, options.sampler, options.samplerPreset);
    const generation = {
      ...always,
      model: answers,
      promptFormat: options.promptFormat ?? "auto",
      systemPrompt: options.systemPrompt,
      enableThinking: options.enableThinking,
      runs: options.runs ?? STUDY_DEFAULTS.runs,
      limit: options.limit,
      sampler: sampler.settings,
      samplerSources: sampler.sources,
      correctness: options.correctness,
    };
    for (const set of sets)
      results.push(yield* generateRuns(workspace, set, { ...generation, adaptive: options.adaptive }));
    const { bestTemperature } = options;
    if (bestTemperature !== undefined) {
      const best = asBest(sampler.settings, sampler.sources, bestTemperature);
      for (const set of sets) results.push(yield* generateRuns(workspace, set, { ...generation, ...best }));
    }
  }
  for (const set of sets) {
    signal?.throwIfAborted();
    const { meaning, models, estimates, seMode } = options;
    const chosen = { ...meaning, estimates, seMode };
    results.push(
      yield* computeEntropy(workspace, set, {
        ...chosen,
        models,
        force: always.force,
        signal,
      }),
    );
  }
  await using served =
    vllm === undefined ? null : yield* openVllmStates(model, layers, vllm, { root, hub, signal });
  const states = (local?.states ?? served?.backend) as StateBackend;
  for (const set of sets) {
    results.push(
      yield* traceRuns(workspace, set, {
        ...always,
        model: states,
        ...(options.positions === undefined ? {} : { positions: options.positions }),
        layers,
        answers: options.answers ?? "auto",
      }),
    );
  }
  return results;
}

/** The local model draws and is read; hidden states in float32, whatever the answers are drawn in. */
async function* openLocalPair(
  { model = STUDY_DEFAULTS.model, hub, threads, memoryBytes, device: asked, dtype = "float32" }: ModelOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<
  StepEvent,
  { readonly answers: AnswerBackend; readonly states: StateBackend } & AsyncDisposable
> {
  const device = yield* settleDevice(asked, { dtype });
  const opening = { device, threads, memoryBytes, hub, signal };
  const parts = createDisposables();
  let isOpen = false;
  try {
    const drawing = parts.use(yield* openLocalBackend(model, { ...opening, dtype }));
    // opened, it takes no memory before it runs
    const reading = dtype === "float32" ? drawing : parts.use(yield* openLocalBackend(model, opening));
    isOpen = true;
    return {
      answers: drawing.backend,
      states: reading.backend,
      [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose](),
    };
  } finally {
    if (!isOpen) await parts[Symbol.asyncDispose]();
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
