import { splitReasoning, type ThinkStatus } from "../engine/generate/split-reasoning.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { indicesOf, locatePosition, type TracePosition } from "../engine/places.ts";
import { buildPrompt } from "../engine/tokenizer/build-prompt.ts";
import { SepError } from "../errors.ts";
import { mean } from "../math/vector.ts";
import {
  type AssessRiskOptions,
  assessRisk,
  findDecision,
  NO_FAMILIARITY,
  type RiskAssessment,
  requireFamiliarity,
} from "../probes/assess-risk.ts";
import { stateSourceOf } from "../probes/pick-states.ts";
import type { Probe } from "../probes/probe.ts";
import {
  assertStates,
  assertThinkEntropies,
  type ProbeInput,
  requireProbeFits,
} from "../probes/score-probe.ts";
import { generateAnswer, takeAnswer } from "./answer-source.ts";
import { type GenerationChoice, resolveGeneration } from "./resolve-generation.ts";

export interface ScoreQuestionOptions extends GenerationChoice, AssessRiskOptions {
  /**
   * Leaves out the answer if the risk is read before generating and says to abstain; it then costs one pass over
   * the prompt.
   */
  readonly skipAbstained?: boolean;
  readonly seed?: number;
}

/** One question with its answer, and the probe's assessment of it. Missing numbers are null. */
export interface ScoredQuestion {
  readonly question: string;
  /** What came after the reasoning; null if it was not generated. */
  readonly answer: string | null;
  /** Everything generated or given, without the end token; null in the same case. */
  readonly output_text: string | null;
  /** Whether the answer was given, and read instead of generated. */
  readonly is_given: boolean;
  readonly think_status: ThinkStatus | null;
  /** A given answer is taken as complete: `stop`. */
  readonly finish_reason: "stop" | "length" | null;
  readonly prompt_tokens: number;
  readonly generated_tokens: number;
  /** P(label 1) as the probe says it, in [0, 1]; null if the answer has no token at the probe's position. */
  readonly score: number | null;
  /** Calibrated P(label 1), in [0, 1]; also null if the probe has no calibration map. */
  readonly risk: number | null;
  /** What the risk is of. */
  readonly risk_of: Probe["target"];
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

export interface ScoreOptions {
  /** What the answer's random numbers depend on, if it is not greedy. */
  readonly id?: string;
  /**
   * The whole answer as the model would generate it, reasoning and its tags included: it is read instead of generated.
   * See docs/probes.md for how it is tokenised, and ended.
   */
  readonly answer?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Scores questions with one probe and one model. */
export interface QuestionScorer {
  /** What holds for every question, as sentences. */
  readonly notes: readonly string[];
  /** @throws SepError `prompt-too-long`; `bad-option` for an answer that continues after its end; and as `buildPrompt` */
  score(question: string, options?: ScoreOptions): Promise<ScoredQuestion>;
}

/**
 * Gets ready to answer questions and say how risky the answers are, from the states of the very passes that generate
 * them.
 * @throws SepError `probe-mismatch` if the model, its tokenizer, dtype or prompts are not those of the probe;
 *   `bad-option` for a prompt whose text the probe's record does not have, and to refuse what is unfamiliar by a probe
 *   that cannot tell
 */
export function createScorer(
  model: LanguageModel,
  probe: Probe,
  {
    decide = "risk",
    unfamiliar = "flag",
    skipAbstained = false,
    seed = 42,
    ...choice
  }: ScoreQuestionOptions = {},
): QuestionScorer {
  requireModel(probe, model);
  requireFamiliarity(probe, unfamiliar);
  const assessing = { decide, unfamiliar };
  const { prompting, sampler, notes } = resolveGeneration(model, probe.asking, choice);
  const layers =
    probe.layer === null
      ? []
      : Array.from({ length: probe.layer_count }, (_, l) => (probe.layer as number) + l);
  const isBefore = probe.position === "before-generation";
  if (skipAbstained && !isBefore) {
    throw new SepError(
      "bad-option",
      `Got skipAbstained, and the probe reads the ${probe.position ?? "whole reasoning"}: its risk is known only after the answer. Use a probe that reads before-generation.`,
    );
  }
  return {
    notes,
    async score(question, { id = question, answer: given, signal } = {}) {
      const prompt = buildPrompt(model.tokenizer, question, prompting);
      const promptIds = prompt.tokenIds;
      const prefilled = await model.prefill(prompt, { layers, signal });
      const early = isBefore ? assess(probe, placeState(model, probe, prefilled.residual), assessing) : null;
      const head = { question, is_given: given !== undefined, prompt_tokens: promptIds.length };
      if (skipAbstained && early?.decision === "abstain" && given === undefined) {
        return {
          ...head,
          ...NO_ANSWER,
          ...describe(probe, early, assessing),
          read_at: readAt(model, probe, promptIds, promptIds.length - 1),
        };
      }
      const run = { model, prefilled, sampler, signal };
      const { answer, readState, readEntropies, warnings } =
        given === undefined
          ? await generateAnswer(run, { seed, streamKey: id })
          : await takeAnswer(run, given, { readsEnd: probe.position === "last-token" });
      const reasoning = splitReasoning(model.tokenizer, { ...answer, opensReasoning: prompt.opensReasoning });
      const placed = {
        prompt_tokens: promptIds,
        tokens: answer.tokenIds,
        think_token_indices: reasoning.span,
        think_status: reasoning.status,
      };
      const index =
        probe.position === null
          ? null
          : locatePosition(placed, probe.position, answer.answerTokenCount, indicesOf(probe.source));
      const readFeatures = async (): Promise<ProbeInput | null> => {
        if (probe.features === "hidden-state")
          return index === null ? null : placeState(model, probe, await readState(index - promptIds.length));
        const entropies = reasoning.span === null ? [] : await readEntropies(reasoning.span);
        return entropies.length === 0 ? null : assertThinkEntropies(Float32Array.of(mean(entropies)));
      };
      const described = describe(probe, early ?? assess(probe, await readFeatures(), assessing), assessing);
      return {
        ...head,
        answer: reasoning.answerText,
        output_text: answer.text,
        think_status: reasoning.status,
        finish_reason: answer.finishReason,
        generated_tokens: given === undefined ? answer.tokenIds.length : 0,
        ...described,
        read_at: index === null ? null : readAt(model, probe, [...promptIds, ...answer.tokenIds], index),
        warnings: [...described.warnings, ...warnings],
      };
    },
  };
}

/**
 * Answers one question and says how risky the answer is; see {@link createScorer}, which is for many.
 * @throws SepError as `createScorer` and its `score`
 */
export function scoreQuestion(
  model: LanguageModel,
  probe: Probe,
  question: string,
  { answer, signal, ...options }: ScoreQuestionOptions & Omit<ScoreOptions, "id"> = {},
): Promise<ScoredQuestion> {
  return createScorer(model, probe, options).score(question, { answer, signal });
}

function requireModel(probe: Probe, { provenance, config }: LanguageModel): void {
  const width = probe.features === "hidden-state" ? config.hiddenSize : probe.width;
  requireProbeFits(probe, { width, source: { ...stateSourceOf(provenance), norm_state: "residual" } });
}

/** @param values of the token and layers that the probe reads, which `createScorer` saw to */
function placeState(
  { provenance, config }: LanguageModel,
  { position, layer, layer_count: layerCount }: Probe,
  values: Float32Array | null,
): ProbeInput | null {
  if (values === null || position === null || layer === null) return null;
  const place = { position, layer, layerCount, width: config.hiddenSize, normState: "residual" } as const;
  return assertStates(values, { ...place, source: stateSourceOf(provenance) });
}

const NO_ANSWER = {
  answer: null,
  output_text: null,
  think_status: null,
  finish_reason: null,
  generated_tokens: 0,
} as const;

type Assessed = Pick<ScoredQuestion, "score" | "risk" | "decision" | "abstain_reason" | "familiarity">;

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
): Assessed & Pick<ScoredQuestion, "risk_of" | "guarantee" | "warnings"> {
  const decision = findDecision(probe, decide);
  const missing = `The answer has no ${probe.position ?? "reasoning"} token that the probe reads, so its risk is unknown.`;
  const isUnfamiliar = assessed.familiarity?.is_unfamiliar === true;
  return {
    ...assessed,
    risk_of: probe.target,
    guarantee:
      decision?.threshold?.guarantee ??
      `No decision: ${decision?.reason ?? `the probe has no threshold of ${decide}.`}`,
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

const readAt = (
  { tokenizer }: LanguageModel,
  { position }: Probe,
  tokenIds: readonly number[],
  token_index: number,
): ScoredQuestion["read_at"] =>
  position === null
    ? null
    : { position, token_index, token: tokenizer.decode([tokenIds[token_index] as number]) };
