import { splitSentences } from "./find-sentences.ts";
import { parseAnswer } from "./math-answer/parse-answer.ts";

/** The pattern that an answer was found by; `whole-text` is for open answers only. */
export type AnswerRule =
  | "boxed"
  | "answer-marker"
  | "hash"
  | "last-formula"
  | "last-number"
  | "last-line"
  | "whole-text";

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
 * Takes time linear in the text.
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
    // On this line or the next non-blank one.
    const line = /[^\s*][^\n]*/.exec(text.slice(match.index + match[0].length))?.[0];
    // Further sentences are explanations.
    if (line !== undefined) return fromSentence(tidy(line.replace(/\.\s.*$/, "")));
  }
  return null;
}

/** The only number or formula of a sentence: 18 in "therefore 18 apples, as we saw". */
function fromSentence(line: string): string {
  if (line.length > MAX_SENTENCE || line.split(/\s+/).length <= MAX_NAME_WORDS) return line;
  if (parseAnswer(line).kind !== "text") return line;
  const formulas = [...line.matchAll(FORMULA)].map(([formula]) => formula);
  const found = formulas.length > 0 ? formulas : (line.match(NUMBER) ?? []);
  return found.length === 1 ? tidy(found[0] as string) : line;
}

/** So few words may be a name that contains a number. */
const MAX_NAME_WORDS = 3;
/** Longer than any sentence that states an answer. */
const MAX_SENTENCE = 500;

/** Headings in Markdown also begin with `####`; an answer is a number. */
function afterLastHash(text: string): string | null {
  const matches = [...text.matchAll(/####[ \t]{0,8}([-+]?\$?[-+]?\.?\d[^\n]*)/g)];
  return tidy(matches.at(-1)?.[1] ?? "");
}

/** The dollar signs touch the formula, unlike those of two prices. */
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

/**
 * The answer in a text that answers an open question. What follows where a base model goes on with a question of its own
 * ("Question: …", "User: …") is not part of it. The first rule that finds something wins:
 * 1. `boxed`: the last whole `\boxed{…}`;
 * 2. `answer-marker`: the sentence behind the first "Answer: …" or "the answer is …" after other text;
 * 3. `whole-text`: all of it, without an "Answer:" in front.
 *
 * Emphasis, quotes around it all, and the full stop are not part of it, and white space is single spaces. Time is linear
 * in the text.
 * @param text what the model said after its reasoning
 * @returns null if the text is blank
 */
export function extractOpenAnswer(text: string): ExtractedAnswer | null {
  const own = beforeNextTurn(text);
  const boxed = tidyOpen(lastBoxed(own) ?? "");
  if (boxed !== "") return { answer: boxed, rule: "boxed" };
  const said = own.replace(/^[\s*#>]+/, "");
  const marker = OPEN_MARKER.exec(said);
  const isFirst = marker !== null && said.slice(0, marker.index).trim() === "";
  if (marker !== null && !isFirst) {
    const marked = tidyOpen(splitSentences((marker[1] ?? "").slice(0, MAX_SENTENCE))[0] ?? "");
    if (marked !== "") return { answer: marked, rule: "answer-marker" };
  }
  const begin = isFirst ? marker.index + marker[0].length - (marker[1]?.length ?? 0) : 0;
  const whole = tidyOpen(said.slice(begin));
  if (whole === "") return null;
  return { answer: whole, rule: isFirst ? "answer-marker" : "whole-text" };
}

/** In front of the answer, at the beginning of a line or sentence. */
const OPEN_MARKER =
  /(?:^|[\n.!?:]\s{0,4})\W{0,4}(?:(?:the|my|short|final|correct)\s){0,3}answer(?:\*\*)?(?:\s{0,3}:|\sis\b:?)(?:\*\*)?\s{0,8}([^\n]+)/i;

/** The text up to the line in which the model begins the next turn; all of it if there is none, or nothing before it. */
function beforeNextTurn(text: string): string {
  const next = NEXT_TURN.exec(text);
  const before = next === null ? text : text.slice(0, next.index);
  return before.trim() === "" ? text : before;
}

const NEXT_TURN =
  /\n[ \t]{0,8}[#*]{0,4}[ \t]?(?:question|q|user|human|instruction)(?:[ \t]?\d{1,3})?[ \t]?(?:\*\*)?:/i;

/** Without the layers of quotes and emphasis that answers come in: `**"Paris."**`. */
function tidyOpen(line: string): string {
  let bare = line;
  for (let layer = 0; layer < MAX_LAYERS; layer++) {
    bare = bare
      .replaceAll("**", "")
      .replace(/\s+/g, " ")
      .trim()
      .replace(/^\\text(?:bf|rm|it)?\{([^{}]*)\}$/, "$1")
      .replace(/^(["'“‘`*_])(.*)(["'”’`*_])$/s, "$2")
      .replace(/(?<!\.)[.!]$/, "");
  }
  return bare.trim();
}

const MAX_LAYERS = 4;

/**
 * The content of the last `\boxed{…}` or `\fbox{…}` whose braces close; one that the token limit cut off is ignored.
 * Of nested boxes it is the content of the outer one, unless that holds nothing but the inner one. Boxes
 * joined by commas, "and" or "or" are one answer: `\boxed{1} and \boxed{2}` is `1, 2`. `\boxed 5` has no braces.
 * Time is linear in the text.
 * @returns null if there is none
 */
function lastBoxed(text: string): string | null {
  const boxes = findBoxes(text);
  const last = boxes.at(-1);
  if (last === undefined) return null;
  const contents = [last.content];
  for (let at = boxes.length - 1; at > 0; at--) {
    const [before, next] = [boxes[at - 1] as Box, boxes[at] as Box];
    if (!JOINS.test(text.slice(before.end, Math.min(next.start, before.end + MAX_GAP)))) break;
    if (next.start - before.end > MAX_GAP) break;
    if (!contents.includes(before.content)) contents.unshift(before.content);
  }
  return contents.join(", ");
}

interface Box {
  /** Where its command begins, and where its last brace ends. */
  readonly start: number;
  readonly end: number;
  readonly content: string;
}

/** At least a comma or a word, with dollars and commas around it. */
const JOINS = /^[\s$]*(?:,|;|,?[\s$]*(?:\\text\{\s*)?(?:and|or)\b(?:\s*\})?)[\s$]*$/;
const MAX_GAP = 40;

/** The outermost boxes, in the order of the text. */
function findBoxes(text: string): readonly Box[] {
  const boxes: Box[] = [];
  const open: { readonly at: number; readonly start: number }[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") {
      const bare = /^\\f?box(?:ed)?(?:\s{0,3}([-+]?\d(?:[\d.,/]{0,40}\d)?%?)|\s{1,3}([a-zA-Z])\b)/.exec(
        text.slice(at, at + 60),
      );
      const content = bare?.[1] ?? bare?.[2];
      if (bare && content !== undefined) boxes.push({ start: at, end: at + bare[0].length, content });
      at += 1; // an escaped brace does not count
    } else if (char === "{") {
      const command = /\\f?box(?:ed)?\s{0,3}$/.exec(text.slice(Math.max(0, at - 10), at));
      open.push({ at: at + 1, start: command === null ? -1 : at - command[0].length });
    } else if (char === "}") {
      const opened = open.pop();
      if (opened === undefined || opened.start < 0) continue;
      const content = text.slice(opened.at, at).trim();
      const inner = boxes.at(-1);
      const isOnlyBox =
        inner !== undefined && inner.start >= opened.at && isAround(text, opened.at, inner, at);
      while ((boxes.at(-1)?.start ?? -1) > opened.start) boxes.pop();
      boxes.push({ start: opened.start, end: at + 1, content: isOnlyBox ? inner.content : content });
    }
  }
  return boxes;
}

const isAround = (text: string, from: number, { start, end }: Box, to: number): boolean =>
  text.slice(from, start).trim() === "" && text.slice(end, to).trim() === "";
