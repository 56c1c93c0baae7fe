import type { ExtractedAnswer } from "./extract-answer.ts";
import { lastBoxed } from "./last-boxed.ts";

/**
 * The answer in a text that answers an open question. The first rule that finds something wins: the last whole
 * `\boxed{…}`; the first "Answer: …" or "the answer is …"; the first sentence. Emphasis, quotes around it all,
 * and the full stop are not part of it. Time is linear in the text.
 * @param text what the model said after its reasoning
 * @returns null if the text is blank
 */
export function extractOpenAnswer(text: string): ExtractedAnswer | null {
  const boxed = tidy(lastBoxed(text) ?? "");
  if (boxed !== "") return { answer: boxed, rule: "boxed" };
  const marked = tidy(firstSentence(MARKER.exec(text)?.[1] ?? ""));
  if (marked !== "") return { answer: marked, rule: "answer-marker" };
  const first = tidy(firstSentence(text));
  return first === "" ? null : { answer: first, rule: "first-sentence" };
}

/** In front of the answer, at the beginning of a line or sentence. */
const MARKER =
  /(?:^|[\n.!?:]\s{0,4})\W{0,4}(?:(?:the|my|short|final|correct)\s){0,3}answer(?:\*\*)?(?:\s{0,3}:|\sis\b:?)(?:\*\*)?\s{0,8}([^\n]+)/i;

/** The first line with anything on it, up to the end of its first sentence. */
function firstSentence(text: string): string {
  const line = /[^\s*#>][^\n]*/.exec(text)?.[0] ?? "";
  for (const { index } of line.matchAll(/[.!?](?=["'”’)*\]]*\s+\S)/g)) {
    if (line[index] !== "." || endsSentence(line, index)) return line.slice(0, index + 1);
  }
  return line;
}

/** A full stop after an initial or an abbreviation ends nothing: "J. K. Rowling", "St. Petersburg". */
function endsSentence(line: string, stop: number): boolean {
  const word = /[\p{L}\d.]*$/u.exec(line.slice(Math.max(0, stop - 12), stop))?.[0] ?? "";
  return !/^\p{Lu}$|^(?:\p{L}\.)+\p{L}$/u.test(word) && !ABBREVIATIONS.has(word.toLowerCase());
}

const ABBREVIATIONS: ReadonlySet<string> = new Set(
  "st mt ft dr mr mrs ms jr sr prof gen col capt lt vs etc no vol ca approx inc".split(" "),
);

/** Without the layers of quotes and emphasis that answers come in: `**"Paris."**`. */
function tidy(line: string): string {
  let bare = line;
  for (let layer = 0; layer < MAX_LAYERS; layer++) {
    bare = bare
      .replaceAll("**", "")
      .trim()
      .replace(/^\\text(?:bf|rm|it)?\{([^{}]*)\}$/, "$1")
      .replace(/^(["'“‘`*_])(.*)(["'”’`*_])$/s, "$2")
      .replace(/(?<!\.)[.!]$/, "");
  }
  return bare.trim();
}

const MAX_LAYERS = 4;
