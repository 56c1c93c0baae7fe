import { SepError } from "../../errors.ts";
import { mean } from "../../math/vector.ts";
import type { LanguageModel } from "../../models/language-model.ts";
import { assessRisk, findDecision, type RiskAssessment } from "../../probes/assess-risk.ts";
import type { DecisionThreshold } from "../../probes/decision-threshold.ts";
import { type Probe, requireProbeFits } from "../../probes/probe.ts";
import { buildPrompt } from "../../sampling/build-prompt.ts";
import type { ThinkStatus } from "../../sampling/run-record.ts";
import { type SampledAnswer, sampleAnswers } from "../../sampling/sample-answers.ts";
import { splitReasoning } from "../../sampling/split-reasoning.ts";
import { indicesOf, locatePosition, type TracePosition } from "../../tracing/positions.ts";
import { type WatchedModel, watchModel } from "../../tracing/watch-model.ts";
import { type AskingChoice, settleAsking } from "./settle-asking.ts";

export interface ScoreQuestionOptions extends AskingChoice {
  /** What the decision is to promise. */
  readonly decide?: DecisionThreshold["kind"];
  /**
   * Leaves out the answer where the risk is read before generating and says to abstain: it then costs one pass over
   * the prompt.
   */
  readonly skipAbstained?: boolean;
  readonly seed?: number;
}

/** One question with its answer, and what the probe says of it. Numbers that are not there are null. */
export interface ScoredQuestion {
  readonly question: string;
  /** What came after the reasoning; null if it was not generated. */
  readonly answer: string | null;
  /** Everything generated, without the end token; null likewise. */
  readonly output_text: string | null;
  readonly think_status: ThinkStatus | null;
  readonly finish_reason: "stop" | "length" | null;
  readonly prompt_tokens: number;
  readonly generated_tokens: number;
  /** P(label 1) as the probe says it, in [0, 1]; null if the answer has no token at the probe's position. */
  readonly score: number | null;
  /** Calibrated P(label 1), in [0, 1]; null besides where the probe has no calibration map. */
  readonly risk: number | null;
  /** What the risk is of. */
  readonly risk_of: Probe["target"];
  readonly decision: RiskAssessment["decision"];
  /** What the decision promises; where there is no decision, why. */
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

/** Scores questions with one probe and one model. */
export interface QuestionScorer {
  /** What holds for every question, as sentences. */
  readonly notes: readonly string[];
  /**
   * @param id what the answer's random numbers depend on, where it is not greedy
   * @throws SepError `prompt-too-long`, and as `buildPrompt`
   */
  score(
    question: string,
    options?: { readonly id?: string; readonly signal?: AbortSignal },
  ): Promise<ScoredQuestion>;
}

/**
 * Gets ready to answer questions and say how risky the answers are, from the states of the very passes that generate
 * them.
 * @throws SepError `probe-mismatch` if the model, its tokenizer, arithmetic or prompts are not those of the probe;
 *   `bad-option` for a prompt whose text the probe's record does not have
 */
export function createScorer(
  model: LanguageModel,
  probe: Probe,
  { decide = "risk", skipAbstained = false, seed = 42, ...choice }: ScoreQuestionOptions = {},
): QuestionScorer {
  requireModel(probe, model);
  const { prompting, sampler, notes } = settleAsking(model, probe.asking, choice);
  const layers =
    probe.layer === null
      ? []
      : Array.from({ length: probe.layer_count }, (_, l) => (probe.layer as number) + l);
  const isBefore = probe.position === "before-generation";
  if (skipAbstained && !isBefore) {
    throw new SepError(
      "bad-option",
      `Got skipAbstained, and the probe reads the ${probe.position ?? "whole reasoning"}: its risk is known only when the answer is there. Use a probe of before-generation.`,
    );
  }
  return {
    notes,
    async score(question, { id = question, signal } = {}) {
      const prompt = buildPrompt(model.tokenizer, question, prompting);
      const watched = watchModel(model, layers);
      const prefilled = await watched.model.prefill(prompt.tokenIds, { signal });
      const early = isBefore ? assess(probe, watched.states[0] ?? null, decide) : null;
      const head = { question, prompt_tokens: prompt.tokenIds.length };
      if (skipAbstained && early?.decision === "abstain") {
        return {
          ...head,
          ...NO_ANSWER,
          ...describe(probe, early, decide),
          read_at: readAt(model, probe, prompt.tokenIds, prompt.tokenIds.length - 1),
        };
      }
      const [sampled] = await sampleAnswers(
        { ...watched.model, prefill: async () => prefilled },
        prompt.tokenIds,
        { runIds: [0], sampler, seed, streamKey: id, signal },
      );
      const answer = sampled as SampledAnswer;
      const reasoning = splitReasoning(model.tokenizer, { ...answer, opensReasoning: prompt.opensReasoning });
      const run = {
        prompt_tokens: prompt.tokenIds,
        tokens: answer.tokenIds,
        think_token_indices: reasoning.span,
        think_status: reasoning.status,
      };
      const index =
        probe.position === null
          ? null
          : locatePosition(run, probe.position, answer.answerTokenCount, indicesOf(probe.source));
      const thinkEntropies = reasoning.span === null ? [] : answer.entropies.slice(...reasoning.span);
      const features =
        probe.features === "mean-think-entropy"
          ? thinkEntropies.length === 0
            ? null
            : Float32Array.of(mean(thinkEntropies))
          : await readState(watched, run, index);
      return {
        ...head,
        answer: reasoning.answerText,
        output_text: answer.text,
        think_status: reasoning.status,
        finish_reason: answer.finishReason,
        generated_tokens: answer.tokenIds.length,
        ...describe(probe, early ?? assess(probe, features, decide), decide),
        read_at: index === null ? null : readAt(model, probe, [...run.prompt_tokens, ...run.tokens], index),
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
  { signal, ...options }: ScoreQuestionOptions & { readonly signal?: AbortSignal } = {},
): Promise<ScoredQuestion> {
  return createScorer(model, probe, options).score(question, signal === undefined ? {} : { signal });
}

function requireModel(probe: Probe, { provenance, config }: LanguageModel): void {
  const { id, weights_sha256, tokenizer_sha256, dtype } = provenance;
  const width = probe.features === "hidden-state" ? config.hiddenSize : probe.width;
  const source = { model: id, weights_sha256, tokenizer_sha256, dtype, norm_state: "residual" };
  requireProbeFits(probe, { width, source });
}

/** @returns null where the answer has no such token */
async function readState(
  { states, readNext }: WatchedModel,
  {
    prompt_tokens,
    tokens,
  }: { readonly prompt_tokens: readonly number[]; readonly tokens: readonly number[] },
  index: number | null,
): Promise<Float32Array | null> {
  if (index === null) return null;
  return states[index - prompt_tokens.length + 1] ?? readNext(tokens.at(-1) as number);
}

const NO_ANSWER = {
  answer: null,
  output_text: null,
  think_status: null,
  finish_reason: null,
  generated_tokens: 0,
} as const;

type Assessed = Pick<ScoredQuestion, "score" | "risk" | "decision">;

/** Without its features an answer cannot be judged, and is not given, as `isAnswered` has it. */
function assess(probe: Probe, features: Float32Array | null, decide: DecisionThreshold["kind"]): Assessed {
  if (features !== null) return assessRisk(probe, features, { decide })[0] as RiskAssessment;
  const hasThreshold = (findDecision(probe, decide)?.threshold ?? null) !== null;
  return { score: null, risk: null, decision: hasThreshold ? "abstain" : null };
}

function describe(
  probe: Probe,
  assessed: Assessed,
  decide: DecisionThreshold["kind"],
): Assessed & Pick<ScoredQuestion, "risk_of" | "guarantee" | "warnings"> {
  const decision = findDecision(probe, decide);
  const missing = `The answer has no ${probe.position ?? "reasoning"} token that the probe reads, so nothing is known of its risk.`;
  return {
    ...assessed,
    risk_of: probe.target,
    guarantee:
      decision?.threshold?.guarantee ??
      `No decision: ${decision?.reason ?? `the probe has no threshold of ${decide}.`}`,
    warnings: [
      ...(assessed.score === null ? [missing] : []),
      ...(assessed.score !== null && probe.calibration_map === null
        ? ["The probe is not calibrated: its scores rank, and mean no more."]
        : []),
    ],
  };
}

const readAt = (
  { tokenizer }: LanguageModel,
  { position }: Probe,
  tokenIds: readonly number[],
  token_index: number,
): ScoredQuestion["read_at"] =>
  position === null
    ? null
    : { position, token_index, token: tokenizer.decode([tokenIds[token_index] as number]) };
