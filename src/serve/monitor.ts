import type { LiveModel, StatesEvent } from "../backends/live-model.ts";
import type { EndEvent, SampledAnswer, TokenEvent } from "../engine/generate/generate.ts";
import { findThinkTags, type ThinkStatus } from "../engine/generate/split-reasoning.ts";
import type { StateMode } from "../engine/observation.ts";
import { indicesOf, isUnitPosition, PLACES, placeAnswer, type TracePosition } from "../engine/places.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import { SepError } from "../errors.ts";
import { logistic } from "../math/logistic.ts";
import { mean } from "../math/vector.ts";
import {
  type AssessRiskOptions,
  assessRisk,
  assessSpan,
  findDecision,
  NO_FAMILIARITY,
  type RiskAssessment,
  requireFamiliarity,
} from "../probes/assess-risk.ts";
import { applyCalibration } from "../probes/calibration.ts";
import type { Probe } from "../probes/probe.ts";
import {
  assertStates,
  assertThinkEntropies,
  layersOf,
  type ProbeInput,
  requireProbeFits,
  scoreProbe,
} from "../probes/score-probe.ts";
import { createSpanReader } from "./span-reader.ts";

/** {@link AssessRiskOptions} as a caller may have them. */
export type AssessmentChoice = {
  readonly [Key in keyof AssessRiskOptions]?: AssessRiskOptions[Key] | undefined;
};

/** `incorrect` is of the whole answer, as is `final-incorrect`; other labels are of its last step, sentence or span. */
export type RiskOf = Probe["target"] | NonNullable<Probe["label"]>;

export const riskOf = ({ target, label }: Pick<Probe, "target" | "label">): RiskOf =>
  target === "incorrect" ? (label ?? target) : target;

/** What a probe says of an answer. Missing numbers are null. */
export interface AnswerAssessment {
  /** P(label 1) as the probe says it, in [0, 1]; null if the answer has no token at the probe's position. */
  readonly score: number | null;
  /** Calibrated P(label 1), in [0, 1]; also null if the probe has no calibration map. */
  readonly risk: number | null;
  /** What the risk is of: the probe's label where it has one, else its target. */
  readonly risk_of: RiskOf;
  readonly decision: RiskAssessment["decision"];
  readonly abstain_reason: RiskAssessment["abstain_reason"];
  /** How unlike the training questions' states the one that was read is; null without one, or a record of theirs. */
  readonly familiarity: RiskAssessment["familiarity"];
  /** What the decision guarantees; without a decision, why. */
  readonly guarantee: string;
  /** Where the state was read, in prompt and answer together; null for a probe that reads none. */
  readonly read_at: {
    readonly position: TracePosition;
    readonly token_index: number;
    readonly token: string;
  } | null;
  /** Everything that makes these numbers mean less than they seem to. */
  readonly warnings: readonly string[];
}

/** An answer that has ended, taken apart, and its assessment. */
export interface AssessedAnswer extends AnswerAssessment {
  /** What came after the reasoning. */
  readonly answer: string;
  readonly think_status: ThinkStatus;
}

/** What the probe says at one token: as if the answer had its position there, or, of a probe that pools tokens, as if it ended there. */
export interface TokenRisk {
  /** From 0; -1 is the prompt's last token. */
  readonly index: number;
  readonly score: number;
  /** null if the probe has no calibration map. */
  readonly risk: number | null;
}

/** Follows one answer while it is generated or read. */
export interface AnswerMonitor {
  /**
   * Takes an event of the answer.
   * @returns what the probe says at the tokens whose states have become known
   */
  push(event: TokenEvent | StatesEvent): readonly TokenRisk[];
  /** What a probe that reads before-generation says, once the first token has come; null for others. */
  early(): AnswerAssessment | null;
  end(event: EndEvent): { readonly last: readonly TokenRisk[]; readonly assessed: AssessedAnswer };
}

/** Applies one probe to the answers of one model. */
export interface Monitor {
  readonly probe: Probe;
  /** Residual layers that the answer's residuals must be of; none for a probe that reads no hidden state. */
  readonly layers: readonly number[];
  /** Whether the probe may read an end token; else its state, which takes a pass of its own, is not needed. */
  readonly endState: boolean;
  /**
   * @param stopStrings what may end the answer
   */
  follow(prompt: Prompt, options: { readonly stopStrings: readonly string[] }): AnswerMonitor;
}

/**
 * Gets ready to assess the answers of a model.
 * @param mode whose answers it will read, and so which probes fit: its own, or what others wrote
 * @throws SepError `probe-mismatch` if the model, its tokenizer or dtype are not those of the probe; `bad-option` to
 *   refuse what is unfamiliar by a probe that cannot tell
 */
export function createMonitor(
  model: Pick<LiveModel, "model" | "normState" | "source">,
  probe: Probe,
  {
    decide = "risk",
    unfamiliar = "flag",
    mode = "generator",
  }: AssessmentChoice & { readonly mode?: StateMode } = {},
): Monitor {
  const { tokenizer, config } = model.model;
  const width = probe.features === "mean-think-entropy" ? probe.width : config.hiddenSize;
  const source = mode === "observer" ? { ...model.source, mode } : model.source;
  requireProbeFits(probe, { width, source: { ...source, norm_state: model.normState } });
  requireOwnEntropies(probe, mode);
  requireFamiliarity(probe, unfamiliar);
  const assessing = { decide, unfamiliar };
  const layers = layersOf(probe);
  const closeId = tokenizer.tokenId(findThinkTags(tokenizer).close);

  const place = (values: Float32Array): ProbeInput => {
    const { position, layer, layer_count: layerCount } = probe;
    return assertStates(values, {
      position: position as TracePosition,
      layer: layer as number,
      layerCount,
      width: config.hiddenSize,
      normState: model.normState,
      source,
    });
  };
  const at = (index: number, values: Float32Array): TokenRisk => {
    const [score] = scoreProbe(probe, place(values)) as unknown as [number];
    return scoreAt(index, score);
  };
  const scoreAt = (index: number, score: number): TokenRisk => ({
    index,
    score,
    risk: probe.calibration_map === null ? null : applyCalibration(probe.calibration_map, score),
  });
  return {
    probe,
    layers,
    endState: probe.position !== null && PLACES[probe.position].mayBeEnd,
    follow(prompt, { stopStrings }) {
      const states = createStateWindow(longestEnd(stopStrings));
      const pooled =
        probe.pooling === undefined
          ? null
          : createSpanReader(probe, { tokenizer, prompt, endTokens: longestEnd(stopStrings) + SPARE_TOKENS });
      const tokenIds: number[] = [];
      let early: AnswerAssessment | null = null;

      /** @param values [layers * D] of the token with this index in the answer; null where none was read */
      // the last sentence or step may end long before the answer does
      const readsParts = probe.position !== null && isUnitPosition(probe.position);
      const see = (index: number, values: Float32Array | null): readonly TokenRisk[] => {
        if (layers.length === 0 || values === null) return [];
        if (pooled !== null) {
          const pool = index < 0 ? null : pooled.see(tokenIds, values);
          return pool === null ? [] : [scoreAt(index, logistic(pool.score()))];
        }
        // a model that spells its tags may end its reasoning at any token
        const mayEndThinking = closeId === null || (index >= 0 && tokenIds[index] === closeId);
        const mayBeRead = probe.position === "think-end" ? mayEndThinking : readsParts;
        states.keep(index, values, mayBeRead);
        if (probe.position === "before-generation" && index === -1)
          early = describeAt(-1, assess(probe, place(values), assessing));
        return [at(index, values)];
      };
      const readAt = (index: number): AnswerAssessment["read_at"] =>
        probe.position === null
          ? null
          : {
              position: probe.position,
              token_index: prompt.tokenIds.length + index,
              token: tokenizer.decode([(index < 0 ? prompt.tokenIds.at(-1) : tokenIds[index]) as number]),
            };
      const describeAt = (index: number | null, assessed: Assessed): AnswerAssessment => ({
        ...describe(probe, assessed, assessing),
        read_at: index === null ? null : readAt(index),
      });
      return {
        push(event) {
          if (event.kind === "states")
            return event.residuals.flatMap((values, index) => see(index - 1, values));
          const risks = see(tokenIds.length - 1, event.residual);
          tokenIds.push(event.tokenId);
          return risks;
        },
        early: () => early,
        end({ answer, residual }) {
          const last = see(tokenIds.length - 1, residual);
          const { reasoning, lastAt } = placeAnswer(tokenizer, prompt, answer, indicesOf(probe.source));
          const found = probe.position === null ? null : lastAt(probe.position);
          const index = found === null ? null : found.index - prompt.tokenIds.length;
          const assessLast = (): Assessed => {
            if (probe.features === "mean-think-entropy")
              return assess(probe, readEntropies(answer.entropies, reasoning.span), assessing);
            if (found === null || index === null) return assess(probe, null, assessing);
            if (pooled === null) return assess(probe, place(states.at(index)), assessing);
            // of whole answers, the last token's span is itself
            const start = probe.position === "every-token" ? 0 : found.span![0];
            return assessSpan(probe, pooled.poolOf([start, index + 1]), assessing);
          };
          return {
            last,
            assessed: {
              answer: reasoning.answerText,
              think_status: reasoning.status,
              ...(early ?? describeAt(index, assessLast())),
            },
          };
        },
      };
    },
  };
}

/** An observer's tokens have entropies too, but those of the writer's tokens are what the baseline was fitted on. */
function requireOwnEntropies({ features }: Probe, mode: StateMode): void {
  if (features !== "mean-think-entropy" || mode === "generator") return;
  throw new SepError(
    "probe-mismatch",
    "The probe reads the token entropies of the model that wrote the answers, which a model that reads them does not have. Use a probe that reads hidden states.",
  );
}

function readEntropies(
  entropies: readonly number[],
  span: readonly [number, number] | null,
): ProbeInput | null {
  const own = span === null ? [] : entropies.slice(...span);
  return own.length === 0 ? null : assertThinkEntropies(Float32Array.of(mean(own)));
}

/** Bytes of a character: a token holds at least one. */
const MOST_BYTES = 4;

/** Tokens that the end of an answer has at most: those of a stop string, or one of the model's. */
const longestEnd = (stopStrings: readonly string[]): number =>
  Math.max(1, ...stopStrings.map((stop) => MOST_BYTES * stop.length));

/**
 * The states that a position may turn out to be at when the answer ends: those of the last tokens, and those that were
 * marked. A long answer's states would fill the memory.
 */
function createStateWindow(endTokens: number): {
  keep(index: number, values: Float32Array, isMarked: boolean): void;
  at(index: number): Float32Array;
} {
  const size = endTokens + SPARE_TOKENS;
  const kept = new Map<number, Float32Array>();
  const marked = new Set<number>();
  return {
    keep(index, values, isMarked) {
      kept.set(index, values);
      if (isMarked) marked.add(index);
      if (index - size >= 0 && !marked.has(index - size)) kept.delete(index - size);
    },
    at(index) {
      const values = kept.get(index);
      if (values === undefined) throw new RangeError(`The state at token ${index} was not kept.`);
      return values;
    },
  };
}

/** The answer's last token, and one more for those that count from the end as the published code does. */
const SPARE_TOKENS = 3;

type Assessed = Pick<AnswerAssessment, "score" | "risk" | "decision" | "abstain_reason" | "familiarity">;

/** An answer without the probe's features cannot be assessed and is not given; see `isAnswered`. */
function assess(probe: Probe, input: ProbeInput | null, options: Required<AssessRiskOptions>): Assessed {
  if (input !== null) return assessRisk(probe, input, options)[0] as RiskAssessment;
  const hasThreshold = (findDecision(probe, options.decide)?.threshold ?? null) !== null;
  return {
    score: null,
    risk: null,
    decision: hasThreshold ? "abstain" : null,
    abstain_reason: hasThreshold ? "no-state" : null,
    familiarity: null,
  };
}

function describe(
  probe: Probe,
  assessed: Assessed,
  { decide, unfamiliar }: Required<AssessRiskOptions>,
): Assessed & Pick<AnswerAssessment, "risk_of" | "guarantee" | "warnings"> {
  const decision = findDecision(probe, decide);
  const missing = `The answer has no ${probe.position ?? "reasoning"} token that the probe reads, so its risk is unknown.`;
  const isUnfamiliar = assessed.familiarity?.is_unfamiliar === true;
  return {
    ...assessed,
    risk_of: riskOf(probe),
    guarantee:
      decision?.threshold?.guarantee ??
      `No decision. ${decision?.reason ?? `The probe has no threshold of ${decide}.`}`,
    warnings: [
      ...(isUnfamiliar
        ? [`${UNFAMILIAR}${unfamiliar === "refuse" ? " It is therefore not answered." : ""}`]
        : []),
      ...(assessed.score === null ? [missing] : []),
      ...(assessed.score !== null && probe.calibration_map === null
        ? ["The probe is not calibrated: its scores rank answers, but are not probabilities."]
        : []),
      ...probe.warnings.filter(({ code }) => code === NO_FAMILIARITY).map(({ message }) => message),
    ],
  };
}

const UNFAMILIAR =
  "The hidden state is unlike those of the training questions, so neither the risk nor the guarantee can be relied on.";

/** How an answer that was given differs from those that the probe was calibrated on. */
export const warnOfGiven = (
  { decode }: Pick<TextTokenizer, "decode">,
  { tokenIds, text }: Pick<SampledAnswer, "tokenIds" | "text">,
  { isObserved }: { readonly isObserved: boolean },
): readonly string[] => [
  ...(isObserved
    ? []
    : ["The answer was given, not generated: the guarantee covers only answers that this model samples."]),
  ...(decode(tokenIds).startsWith(text)
    ? []
    : [
        "The answer's tokens do not decode to its text: the tokenizer changes some of it, so the model would not generate it.",
      ]),
];
