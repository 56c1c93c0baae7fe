import type { LiveModel } from "../backends/live-model.ts";
import { liveModelOf } from "../backends/local/local-backend.ts";
import type { EndEvent } from "../engine/generate/generate.ts";
import { rewriteReasoning } from "../engine/generate/observe-answer.ts";
import type { ThinkStatus } from "../engine/generate/split-reasoning.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { modeOf, observationOf } from "../engine/observation.ts";
import { buildPrompt } from "../engine/tokenizer/build-prompt.ts";
import { SepError } from "../errors.ts";
import type { AssessRiskOptions } from "../probes/assess-risk.ts";
import type { Probe } from "../probes/probe.ts";
import {
  type AnswerAssessment,
  type AssessedAnswer,
  createMonitor,
  type TokenRisk,
  warnOfGiven,
} from "./monitor.ts";
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
export interface ScoredQuestion extends AnswerAssessment {
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
  /** At every token of the answer, if asked for. */
  readonly tokens?: readonly ScoredToken[];
}

/** What the probe says at a token of an answer. */
export interface ScoredToken extends TokenRisk {
  /** The token as text. */
  readonly token: string;
}

export interface ScoreOptions {
  /** What the answer's random numbers depend on, if it is not greedy. */
  readonly id?: string;
  /**
   * The whole answer as the model would generate it, reasoning and its tags included: it is read instead of generated.
   * See docs/probes.md for how it is tokenised, and ended.
   */
  readonly answer?: string | undefined;
  /** Whether to say what the probe reads at every token; see {@link TokenRisk}. */
  readonly tokens?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Scores questions with one probe and one model. An observer's probe, fitted on the states of a model that reads what others
 * wrote, scores given answers; a question alone only if it reads before-generation.
 */
export interface QuestionScorer {
  /** What holds for every question, as sentences. */
  readonly notes: readonly string[];
  /** @throws SepError `answer-needed` of an observer's probe that reads answers, for a question alone; `prompt-too-long`; `bad-option` for an answer that continues after its end; and as `buildPrompt` */
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
  model: LanguageModel | LiveModel,
  probe: Probe,
  { decide, unfamiliar, skipAbstained = false, seed = 42, ...choice }: ScoreQuestionOptions = {},
): QuestionScorer {
  const live = "generate" in model ? model : liveModelOf(model);
  const monitor = createMonitor(live, probe, { decide, unfamiliar, mode: modeOf(probe.source) });
  const { prompting, sampler, reading, notes } = resolveGeneration(live.model, probe, choice);
  const { layers, endState } = monitor;
  const { tokenizer } = live.model;
  const isEarly = probe.position === "before-generation";
  if (skipAbstained && !isEarly) {
    throw new SepError(
      "bad-option",
      `Got skipAbstained, and the probe reads the ${probe.position ?? "whole reasoning"}: its risk is known only after the answer. Use a probe that reads before-generation.`,
    );
  }
  return {
    notes,
    async score(question, { id = question, answer: given, tokens = false, signal } = {}) {
      if (reading !== null && given === undefined && !isEarly) throw needsAnswer(probe);
      const prompt = buildPrompt(tokenizer, question, prompting);
      const following = monitor.follow(prompt, sampler);
      const isGiven = given !== undefined;
      const head = { question, is_given: isGiven, prompt_tokens: prompt.tokenIds.length };
      const options = { sampler, layers, endState, text: false, signal };
      const events =
        given === undefined
          ? live.generate(prompt, { ...options, seed, streamKey: id })
          : live.read(prompt, reading === null ? given : rewriteReasoning(live.model, prompt, given), {
              ...options,
              ending: reading?.ending,
            });
      const risks: TokenRisk[] = [];
      let end: { readonly event: EndEvent; readonly assessed: AssessedAnswer } | null = null;
      for await (const event of events) {
        if (event.kind === "end") {
          const { last, assessed } = following.end(event);
          risks.push(...last);
          end = { event, assessed };
          break;
        }
        risks.push(...following.push(event));
        const early = following.early();
        const isEnough = reading !== null || (skipAbstained && early?.decision === "abstain");
        if (isEnough && !isGiven && early !== null) return { ...head, ...NO_ANSWER, ...early };
      }
      const { event, assessed } = end as NonNullable<typeof end>;
      const { text, finishReason, tokenIds } = event.answer;
      return {
        ...head,
        output_text: text,
        finish_reason: finishReason,
        generated_tokens: isGiven ? 0 : tokenIds.length,
        ...assessed,
        ...(tokens ? { tokens: nameTokens(risks, tokenIds, tokenizer) } : {}),
        warnings: [
          ...assessed.warnings,
          ...(isGiven ? warnOfGiven(tokenizer, event.answer, { isObserved: reading !== null }) : []),
        ],
      };
    },
  };
}

/**
 * Answers one question and says how risky the answer is; see {@link createScorer}, which is for many.
 * @throws SepError as `createScorer` and its `score`
 */
export function scoreQuestion(
  model: LanguageModel | LiveModel,
  probe: Probe,
  question: string,
  { answer, tokens, signal, ...options }: ScoreQuestionOptions & Omit<ScoreOptions, "id"> = {},
): Promise<ScoredQuestion> {
  return createScorer(model, probe, options).score(question, { answer, tokens, signal });
}

/** The prompt's last token is no token of the answer. */
const nameTokens = (
  risks: readonly TokenRisk[],
  tokenIds: readonly number[],
  { decode }: LanguageModel["tokenizer"],
): readonly ScoredToken[] =>
  risks
    .filter(({ index }) => index >= 0)
    .map((risk) => ({ ...risk, token: decode([tokenIds[risk.index] as number]) }));

const NO_ANSWER = {
  answer: null,
  output_text: null,
  think_status: null,
  finish_reason: null,
  generated_tokens: 0,
} as const;

const needsAnswer = ({ position, source }: Probe): SepError =>
  new SepError(
    "answer-needed",
    `The probe is an observer's and reads the ${position} of answers that ${observationOf(source)?.writer} wrote, but got a question alone. Give the answer too, or use a probe that reads before-generation.`,
  );
