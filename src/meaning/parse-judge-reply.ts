import type { JudgeLabel } from "./judge-prompt.ts";

/**
 * The word that a judge answered with: the one its reply begins with, else the only one in it. Reasoning between
 * think tags, case, and marks around the word do not count.
 * @returns null where the reply is none of them, names several, or negates it ("not entailment"): guessing would make
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
