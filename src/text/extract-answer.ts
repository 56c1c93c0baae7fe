import { lastBoxed } from "./last-boxed.ts";

/** Which pattern an answer was found by; the last one in open answers only. */
export type AnswerRule = "boxed" | "hash" | "answer-marker" | "last-number" | "last-line" | "first-sentence";

export interface ExtractedAnswer {
  readonly answer: string;
  readonly rule: AnswerRule;
}

/**
 * The final answer to a question of mathematics, in a text that may explain itself first. The first rule that
 * finds something wins: the last whole `\boxed{…}`; the last "Answer: …" or "answer is …"; the last GSM8K line
 * `#### 18`; the last number; the last line with anything on it. Time is linear in the text.
 * @param text what the model said after its reasoning
 * @returns null if the text is blank
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
  ["last-number", lastNumber],
  ["last-line", (text) => tidy(lastLine(text))],
];

function afterLastMarker(text: string): string | null {
  let found: string | null = null;
  for (const match of text.matchAll(/\banswer(?:\*\*)?(?:\s{0,3}:|\s{1,3}is\b:?)/gi)) {
    const rest = text.slice(match.index + match[0].length);
    const line = /[^\s*][^\n]*/.exec(rest)?.[0]; // on this line or the next one with anything on it
    // What follows the first sentence explains.
    if (line !== undefined) found = tidy(line.replace(/\.\s.*$/, ""));
  }
  return found;
}

/** Headings in Markdown also begin with `####`; an answer is a number. */
function afterLastHash(text: string): string | null {
  const matches = [...text.matchAll(/####[ \t]{0,8}([-+]?\$?[-+]?\.?\d[^\n]*)/g)];
  return tidy(matches.at(-1)?.[1] ?? "");
}

function lastNumber(text: string): string | null {
  return text.match(NUMBER)?.at(-1) ?? null;
}

/** Sign, thousands separators, decimals, fraction, percent. A minus after a word or number is an operator. */
const NUMBER =
  /(?:(?<![\w)])[-−])?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:\/\d+(?:\.\d+)?)?%?/g;

function lastLine(text: string): string {
  return (
    text
      .split("\n")
      .findLast((line) => line.trim() !== "")
      ?.trim() ?? ""
  );
}

/** Without emphasis, dollar delimiters around it all, and the full stop of its sentence. */
function tidy(line: string): string {
  const bare = line
    .replaceAll("**", "")
    .trim()
    .replace(/(?<!\.)\.$/, "")
    .trim();
  const math = /^\$([^$]+)\$$/.exec(bare) ?? /^\\\((.+)\\\)$/.exec(bare) ?? /^\\\[(.+)\\\]$/.exec(bare);
  return (math?.[1] ?? bare).trim();
}
