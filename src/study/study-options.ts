import type { VllmChoice } from "../backends/vllm/vllm-choice.ts";
import type { HubOptions } from "../checkpoint/hub/hub.ts";
import { POCKET_MODEL } from "../checkpoint/locate-checkpoint.ts";
import type { ModelDtype } from "../engine/language-model.ts";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import type { EstimateChoice } from "../entropy/measures/estimate-registry.ts";
import type { SeModeName } from "../entropy/se-mode.ts";
import type { ClassWeight } from "../probes/fit-logistic.ts";
import type { ProbeKind } from "../probes/probe-kind.ts";
import type { SeThresholdChoice } from "../probes/se-threshold.ts";
import type { FigureFormat } from "../report/figure.ts";
import type { TracePosition } from "../states/positions.ts";
import type { CorrectnessRule } from "../text/correctness-rule.ts";
import type { MeaningChoice } from "./meaning/meaning-choice.ts";
import type { MeaningModels } from "./meaning/meaning-models.ts";
import type { StudyPromptFormat } from "./sampling/plan-generation.ts";
import type { SamplerChoice, SamplerPreset } from "./sampling/resolve-sampler.ts";
import type { AnswerRole } from "./tracing/traced-answers.ts";

/** Where nothing else is said. Sampling follows the reasoning pipelines this package continues. */
export const STUDY_DEFAULTS = {
  dataset: "arithmetic",
  ood: "word-problems",
  model: POCKET_MODEL as string,
  runs: 10,
  seed: 42,
  temperature: 0.6,
  /** Of a question's best answer, as in the papers. */
  bestTemperature: 0.1,
  topP: 0.9,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
} as const;

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
