import pMap from "p-map";
import type { Json } from "../formats/json.ts";

/** A language model that is asked short questions and answers each with one of a few words. */
export interface JudgeModel {
  readonly name: string;
  /** Everything that determines its replies. */
  readonly provenance: Json;
  /** Prompts that may run in parallel. */
  readonly concurrency: number;
  /**
   * @param options.labels  the words that the prompt asks for; a model that supports it is constrained to them
   * @param options.opening what the prompt begins with, and others do too; a model may run it once for all of them
   * @param options.leastProbability a model that knows its probabilities says nothing ("") if those of all labels together are
   *   lower
   * @returns what it said, decoded greedily
   */
  complete(
    prompt: string,
    options: {
      readonly labels: readonly JudgeLabel[];
      readonly opening?: string | undefined;
      readonly leastProbability?: number | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<string>;
}

/** What a judge is asked. */
export interface JudgeQuestion {
  readonly prompt: string;
  /** What the prompt begins with, and others do too. */
  readonly opening: string;
}

/**
 * A judge's replies to many prompts. When one fails, the others in flight are aborted and awaited.
 * @returns [N] in the prompts' order
 */
export async function completeAll(
  model: JudgeModel,
  prompts: readonly JudgeQuestion[],
  { labels, leastProbability, signal }: Parameters<JudgeModel["complete"]>[1],
): Promise<readonly string[]> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const asked: Promise<string>[] = [];
  const ask = ({ prompt, opening }: JudgeQuestion): Promise<string> => {
    either.throwIfAborted();
    const reply = model.complete(prompt, { labels, opening, leastProbability, signal: either });
    asked.push(reply);
    return reply;
  };
  try {
    return await pMap(prompts, ask, { concurrency: model.concurrency });
  } finally {
    stop.abort();
    await Promise.allSettled(asked);
  }
}

/** The words that a judge may answer with. */
export const JUDGE_LABELS = ["entailment", "neutral", "contradiction", "yes", "no"] as const;
export type JudgeLabel = (typeof JUDGE_LABELS)[number];

/**
 * How a language model is asked about two answers: `entailment`, whether the first entails the second, and then the
 * other way round, in the words of the semantic entropy papers; `yes-no`, once, whether they mean the same.
 */
export const JUDGE_PROMPTS = ["entailment", "yes-no"] as const;
export type JudgePromptName = (typeof JUDGE_PROMPTS)[number];

interface JudgePrompt {
  readonly name: JudgePromptName;
  /** Incremented whenever its wording changes. */
  readonly version: number;
  readonly labels: readonly JudgeLabel[];
  /** Whether the two answers have to be asked about in both orders. */
  readonly isDirected: boolean;
  write(question: string, first: string, second: string): JudgeQuestion;
}

/** @see Farquhar et al. 2024, Methods, for the words of `entailment` */
export function judgePrompt(name: JudgePromptName): JudgePrompt {
  return PROMPTS[name];
}

/** @param task what is asked about the answers */
function writeAbout(question: string, first: string, second: string, task: string): JudgeQuestion {
  const opening = `We are evaluating answers to the question "${question}"\nHere are two possible answers:\nPossible Answer 1: `;
  return { opening, prompt: `${opening}${first}\nPossible Answer 2: ${second}\n${task}` };
}

const PROMPTS: Readonly<Record<JudgePromptName, JudgePrompt>> = {
  entailment: {
    name: "entailment",
    version: 1,
    labels: ["entailment", "neutral", "contradiction"],
    isDirected: true,
    write: (...of) =>
      writeAbout(
        ...of,
        "Does Possible Answer 1 semantically entail Possible Answer 2? Respond with entailment, contradiction, or neutral.",
      ),
  },
  "yes-no": {
    name: "yes-no",
    version: 1,
    labels: ["yes", "no"],
    isDirected: false,
    write: (...of) =>
      writeAbout(...of, "Do Possible Answer 1 and Possible Answer 2 mean the same? Respond with yes or no."),
  },
};

/**
 * The word that a judge answered with: the one its reply begins with, else the only one in it. Reasoning between
 * think tags, case, and marks around the word do not count.
 * @returns null if the reply is none of them, names several, or negates it ("not entailment"): guessing would make
 * up a verdict
 */
export function parseJudgeReply(reply: string, labels: readonly JudgeLabel[]): JudgeLabel | null {
  const closed = reply.lastIndexOf(THINK_END);
  const said = (closed === -1 ? reply : reply.slice(closed + THINK_END.length)).toLowerCase();
  const words: readonly string[] = said.match(/\p{L}+/gu) ?? [];
  const first = labels.find((label) => label === words[0]);
  if (first !== undefined) return first;
  const named = labels.filter((label) => words.includes(label));
  const [only] = named;
  if (named.length !== 1 || only === undefined) return null;
  const negated = words.some((word, i) => words[i + 1] === only && NEGATIONS.has(word));
  return negated ? null : only;
}

const THINK_END = "</think>";

const NEGATIONS: ReadonlySet<string> = new Set(["no", "not", "neither", "nor", "isn", "t"]);
