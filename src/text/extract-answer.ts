import { lastBoxed } from "./last-boxed.ts";
import { parseAnswer } from "./math-answer/parse-answer.ts";

/** Which pattern an answer was found by; the last one in open answers only. */
export type AnswerRule =
  | "boxed"
  | "answer-marker"
  | "hash"
  | "last-formula"
  | "last-number"
  | "last-line"
  | "first-sentence";

export interface ExtractedAnswer {
  readonly answer: string;
  readonly rule: AnswerRule;
}

/**
 * The final answer to a question of mathematics, in a text that may explain itself first. The first rule that
 * finds something wins:
 * 1. `boxed`: the last whole `\boxed{…}`, or several that "and" joins; see `lastBoxed`;
 * 2. `answer-marker`: what follows the last "Answer: …", "answer is …" or heading "Final Answer";
 * 3. `hash`: the last GSM8K line `#### 18`;
 * 4. `last-formula`: the last formula in dollars, `\(…\)` or `\[…\]`, if no number stands outside it later on;
 * 5. `last-number`: the last number, or the numbers of the last line's `x = 1 or x = 2`;
 * 6. `last-line`: the last line with anything on it.
 *
 * Time is linear in the text, and nothing but the text is looked at.
 * @param text what the model said after its reasoning
 * @returns null if the text is blank, or nothing but emphasis and full stops
 */
export function extractAnswer(text: string): ExtractedAnswer | null {
  for (const [rule, find] of RULES) {
    const answer = find(text);
    if (answer !== null && answer !== "") return { answer, rule };
  }
  return null;
}

const RULES: readonly (readonly [AnswerRule, (text: string) => string | null])[] = [
  ["boxed", lastBoxed],
  ["answer-marker", afterLastMarker],
  ["hash", afterLastHash],
  ["last-formula", lastFormula],
  ["last-number", lastNumber],
  ["last-line", lastLine],
];

/** "Answer:", "the answers are", and a heading of its own. */
const MARKER =
  /\banswers?(?:\*\*)?(?:\s{0,3}:|\s{1,3}(?:is|are)\b:?)|^[ \t#*]{0,8}(?:final )?answer[ \t*]{0,8}$/gim;

function afterLastMarker(text: string): string | null {
  for (const match of [...text.matchAll(MARKER)].reverse()) {
    // On this line or the next one with anything on it. Before the last marker there is none without.
    const line = /[^\s*][^\n]*/.exec(text.slice(match.index + match[0].length))?.[0];
    // What follows the first sentence explains.
    if (line !== undefined) return fromSentence(tidy(line.replace(/\.\s.*$/, "")));
  }
  return null;
}

/** Of "therefore 18 apples, as we saw" it is the 18: the one number or formula in a sentence that is not one itself. */
function fromSentence(line: string): string {
  if (line.length > MAX_SENTENCE || line.split(/\s+/).length <= MAX_NAME_WORDS) return line;
  if (parseAnswer(line).kind !== "text") return line;
  const formulas = [...line.matchAll(FORMULA)].map(([formula]) => formula);
  const found = formulas.length > 0 ? formulas : (line.match(NUMBER) ?? []);
  return found.length === 1 ? tidy(found[0] as string) : line;
}

/** Fewer words may be a name that has a number in it. */
const MAX_NAME_WORDS = 3;
/** Longer than any sentence that states an answer. */
const MAX_SENTENCE = 500;

/** Headings in Markdown also begin with `####`; an answer is a number. */
function afterLastHash(text: string): string | null {
  const matches = [...text.matchAll(/####[ \t]{0,8}([-+]?\$?[-+]?\.?\d[^\n]*)/g)];
  return tidy(matches.at(-1)?.[1] ?? "");
}

/** In dollars that touch what is in them, which those of two prices do not. */
const FORMULA =
  /(?<![\\$\d])\$(?![\s$])(?:\\.|[^$\\\n]){1,300}(?<!\s)\$(?![\d$])|\$\$(?:\\.|[^$\\]){1,600}\$\$|\\\((?:(?!\\\)).){1,300}\\\)|\\\[(?:(?!\\\])[\s\S]){1,600}\\\]/g;

function lastFormula(text: string): string | null {
  const last = [...text.matchAll(FORMULA)].at(-1);
  if (last === undefined) return null;
  const [before, after] = [text.slice(0, last.index), text.slice(last.index + last[0].length)];
  const isLast = /\d/.test(last[0]) || !/\d/.test(before);
  return isLast && !/\d/.test(after) ? tidy(last[0]) : null;
}

function lastNumber(text: string): string | null {
  return SOLUTIONS.exec(lastLine(text).slice(-MAX_SENTENCE))?.[1] ?? text.match(NUMBER)?.at(-1) ?? null;
}

/** Sign, thousands separators, decimals, fraction, percent. A minus after a word or number is an operator. */
const NUMBER =
  /(?:(?<![\w)])[-−])?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:\/\d+(?:\.\d+)?)?%?/g;

/** `x = 1 or x = 2` at the end of a line: the numbers of one unknown. */
const SOLUTIONS =
  /(\b([a-z])\s?=\s?[-−]?\d[\d./]*(?:(?:,|,? (?:or|and))\s(?:\2\s?=\s?)?[-−]?\d[\d./]*)+(?<!\.))\.?\s*$/i;

function lastLine(text: string): string {
  return (
    text
      .split("\n")
      .map(tidy)
      .findLast((line) => line !== "") ?? ""
  );
}

/** Without emphasis, delimiters around it all, and the full stop of its sentence. */
function tidy(line: string): string {
  const bare = line
    .replaceAll("**", "")
    .trim()
    .replace(/(?<!\.)\.$/, "")
    .trim();
  const math =
    /^\$\$?([^$]+)\$\$?$/.exec(bare) ?? /^\\\((.+)\\\)$/s.exec(bare) ?? /^\\\[(.+)\\\]$/s.exec(bare);
  return math?.[1]?.trim().replace(/[.,]$/, "") ?? bare;
}
