import { modeOf, observationOf } from "../engine/observation.ts";
import type { TracePosition } from "../engine/places.ts";
import { SepError } from "../errors.ts";
import { logistic } from "../math/logistic.ts";
import type { NormState } from "../states/state-backend.ts";
import { showShortly } from "../text/shorten.ts";
import { type SpanValues, scoreSpans } from "./pooling.ts";
import type { Probe, ProbeDescription } from "./probe.ts";
import { scoreRows } from "./probe-weights.ts";

/** Where features come from, as far as is known. */
export interface FeatureOrigin {
  /** Of one layer. */
  readonly width: number;
  /** As a trace has it: `weights_sha256`, `tokenizer_sha256`, `norm_state`, … What is missing is not checked. */
  readonly source: Readonly<Record<string, string>>;
  /** Where they were read, unless the probe decides that. */
  readonly position?: TracePosition;
  /** The first one of a window. */
  readonly layer?: number;
  readonly layerCount?: number;
}

/** Hidden states together with where they were read; see `pickStates` and {@link assertStates}. */
export interface PlacedStates extends Required<FeatureOrigin> {
  readonly features: "hidden-state";
  /** [n, layerCount * width] row-major, the layers concatenated. Its `source` has a `norm_state`. */
  readonly values: ArrayLike<number>;
}

/** Hidden states of all tokens of some spans, one span after the other, for probes that pool them. */
export interface PlacedSpans extends Required<FeatureOrigin>, SpanValues {
  readonly features: "token-states";
  /** [T, layerCount * width] row-major, the layers concatenated. Its `source` has a `norm_state`. */
  readonly values: ArrayLike<number>;
}

/** Mean token entropies of reasoning, which the entropy baseline reads. */
export interface ThinkEntropies {
  readonly features: "mean-think-entropy";
  /** [n] nats; NaN where there is no reasoning */
  readonly values: ArrayLike<number>;
}

/** What probes score. Not a bare array, which does not say where it was read. */
export type ProbeInput = PlacedStates | PlacedSpans | ThinkEntropies;

/** What must be known of bare hidden states. */
export interface StatesPlace {
  readonly position: TracePosition;
  /** 0 = embeddings, l = after block l; the first one of a window. */
  readonly layer: number;
  /** Layers concatenated in each row; 1 by default. */
  readonly layerCount?: number;
  /** Of one layer: the model's hidden size. */
  readonly width: number;
  /** `residual`: before the final norm. The last of transformers' `hidden_states` is `final-norm`. */
  readonly normState: NormState;
  /**
   * What else is known of the model, by a trace's keys: `model`, `weights_sha256`, `tokenizer_sha256`, `dtype`, `indices`, and
   * `mode: "observer"` where it read what another one wrote.
   */
  readonly source?: Readonly<Record<string, string>>;
}

/**
 * Declares where in which model bare numbers were read. Nothing can check it: a wrong declaration gives a wrong score.
 * With a trace, use `pickStates` instead.
 * @param values [n, layerCount * width] row-major
 * @throws SepError `probe-mismatch` if the numbers are not whole rows
 */
export function assertStates(
  values: ArrayLike<number>,
  { position, layer, layerCount = 1, width, normState, source = {} }: StatesPlace,
): PlacedStates {
  const rowWidth = layerCount * width;
  if (!(rowWidth > 0) || values.length % rowWidth !== 0)
    throw new SepError(
      "probe-mismatch",
      `Got ${values.length} numbers, expected whole rows of ${layerCount} × ${width}. Give the width of one layer and how many layers are concatenated.`,
    );
  return {
    features: "hidden-state",
    values,
    position,
    layer,
    layerCount,
    width,
    source: { ...source, norm_state: normState },
  };
}

/**
 * The same for the states of all tokens of spans, which probes with a `pooling` read.
 * @param values [T, layerCount * width] row-major, one span after the other
 * @param starts [n + 1] where each span begins in the tokens, and the end of the last
 * @param place  its `position` is what the spans are: `every-token` for whole answers
 * @throws SepError `probe-mismatch` if the numbers are not whole rows, or not as many as the spans have
 */
export function assertSpans(
  values: ArrayLike<number>,
  starts: ArrayLike<number>,
  place: StatesPlace,
): PlacedSpans {
  const states = assertStates(values, place);
  const tokens = values.length / (states.layerCount * states.width);
  const isAscending = Array.from(starts).every((start, i) => start >= (i === 0 ? 0 : starts[i - 1]!));
  if (starts.length > 0 && isAscending && starts[0] === 0 && starts[starts.length - 1] === tokens)
    return { ...states, features: "token-states", starts };
  throw new SepError(
    "probe-mismatch",
    `Got spans that begin at ${showShortly(Array.from(starts))}, expected ascending numbers from 0 to the ${tokens} tokens. Give the beginning of each span, and the end of the last.`,
  );
}

/**
 * Declares that bare numbers are mean token entropies of reasoning, one per answer.
 * @param values [n] nats
 */
export const assertThinkEntropies = (values: ArrayLike<number>): ThinkEntropies => ({
  features: "mean-think-entropy",
  values,
});

/** The residual layers that a probe reads, ascending; none for one that reads no hidden state. */
export const layersOf = ({ layer, layer_count: count }: Pick<Probe, "layer" | "layer_count">): number[] =>
  layer === null ? [] : Array.from({ length: count }, (_, l) => layer + l);

/**
 * Scores rows with a probe.
 * @returns [n] P(label = 1), in [0, 1]; higher is more uncertain; NaN where a feature is NaN
 * @throws SepError `probe-mismatch` for a bare array, and for what was read elsewhere than the probe reads
 */
export function scoreProbe(probe: Probe, input: ProbeInput): Float64Array {
  const values = requireProbeInput(probe, input);
  const logits =
    input.features === "token-states"
      ? scoreSpans(probe, { values, starts: input.starts })
      : scoreRows(probe, values);
  return logits.map(logistic);
}

/** The numbers that a probe is about to score, checked to be what it reads. */
export function requireProbeInput(probe: Probe, input: ProbeInput): ArrayLike<number> {
  if (input.features !== probe.features) throw new SepError("probe-mismatch", describeOther(probe, input));
  if (input.features !== "mean-think-entropy") {
    if (input.source.norm_state === undefined)
      throw new SepError(
        "probe-mismatch",
        "The states do not say whether they were read before or after the final norm. Say which with assertStates.",
      );
    requireProbeFits(probe, input);
  }
  if (input.values.length % probe.width === 0) return input.values;
  throw new SepError(
    "probe-mismatch",
    `The probe reads rows of width ${probe.width}, got ${input.values.length} numbers. Trace the model it was fitted on, or refit with \`sep train\`.`,
  );
}

/** JavaScript does not see the types: arrays come here too. */
function describeOther({ features }: Probe, input: ProbeInput | ArrayLike<number>): string {
  if (!("features" in input))
    return `Got ${input.length ?? "no"} bare numbers, which do not say where they were read. Take states from a trace with pickStates, or state their place with assertStates (for reasoning entropies, with assertThinkEntropies).`;
  const spans = features === "token-states" ? ", as pickStates or assertSpans gives them" : "";
  return `The probe reads ${FEATURES[features]}${spans}, got ${FEATURES[input.features]}. Use another probe.`;
}

const FEATURES = {
  "hidden-state": "hidden states",
  "token-states": "the hidden states of all tokens of a span",
  "mean-think-entropy": "mean token entropies of the reasoning",
} as const satisfies Record<Probe["features"], string>;

/**
 * Checks that a probe belongs to what it is about to score.
 * @throws SepError `probe-mismatch` naming what differs
 */
export function requireProbeFits(
  probe: ProbeDescription,
  { width, source, position, layer, layerCount }: FeatureOrigin,
): void {
  const refuse = (message: string, remedy = "Refit with `sep train`."): never => {
    throw new SepError("probe-mismatch", `${message} ${remedy}`);
  };
  const expected = probe.width / probe.layer_count;
  if (expected !== width) refuse(`Probe reads states of width ${expected}, but these have ${width}.`);
  const known = (key: string): boolean => probe.source[key] !== undefined && source[key] !== undefined;
  // The same weights may have two names, so the name counts only where there is no hash.
  const identity = known("weights_sha256") ? "weights_sha256" : "model";
  for (const key of [identity, "tokenizer_sha256", "dtype", "norm_state", "indices"].filter(known)) {
    if (probe.source[key] !== source[key])
      refuse(
        `Probe was fitted on ${key} "${probe.source[key]}", but these states come from "${source[key]}".`,
      );
  }
  if (modeOf(probe.source) !== modeOf(source)) refuse(describeOtherMode(probe.source), OTHER_MODE);
  const elsewhere = "Read the states where the probe does, or refit with `sep train`.";
  if (position !== undefined && position !== probe.position)
    refuse(`Probe reads position "${probe.position}", but these states are from "${position}".`, elsewhere);
  if (layer !== undefined && layer !== probe.layer)
    refuse(`Probe reads layer ${probe.layer}, but these states are from layer ${layer}.`, elsewhere);
  if (layerCount !== undefined && layerCount !== probe.layer_count)
    refuse(
      `Probe reads ${probe.layer_count} concatenated layers, these states have ${layerCount}.`,
      elsewhere,
    );
}

/** The states of an answer are other ones where the model itself chose its tokens. */
function describeOtherMode(fitted: ProbeDescription["source"]): string {
  const observed = observationOf(fitted);
  if (observed === null)
    return "Probe was fitted on states of a model that generated its own answers, but in these it reads what another model wrote.";
  return `Probe is an observer's: it was fitted on states of a model that reads what ${observed.writer} wrote, but in these the model generated its own answers.`;
}

const OTHER_MODE =
  "Take a probe of the other kind: `sep trace --observer` reads given answers, `sep trace` a model's own; docs/observer.md.";
