/** A stretch of a text: half-open [start, end) in UTF-16 units. */
export type TextSpan = readonly [start: number, end: number];

/**
 * The sentences of a text, in order, each without the white space around it. A line break ends a sentence, so that items of
 * lists and headings are sentences of their own; a fenced code block or a displayed formula is one, however many lines it has. No
 * sentence ends within inline code, a formula, a number, an abbreviation, an initial or a quotation that the sentence
 * goes on after. Neither the platform nor a locale has a say: the same text has the same sentences everywhere.
 */
export function findSentences(text: string): TextSpan[] {
  return findBlocks(text).flatMap(({ span: [start, end], isWhole }) =>
    isWhole ? trimmed(text, start, end) : sentencesOfLine(text, start, end),
  );
}

/** The texts of {@link findSentences}. */
export const splitSentences = (text: string): string[] =>
  findSentences(text).map(([start, end]) => text.slice(start, end));

/** A line, or several that stay together. */
export interface TextBlock {
  readonly span: TextSpan;
  /** Fenced code or a displayed formula, which is not taken apart. */
  readonly isWhole: boolean;
}

/** The lines of a text, where fenced code and displayed formulas that begin a line are one block up to their end. */
export function findBlocks(text: string): TextBlock[] {
  const blocks: TextBlock[] = [];
  let at = 0;
  while (at < text.length) {
    BLOCK.lastIndex = at;
    const whole = BLOCK.exec(text);
    const end = whole === null ? lineEnd(text, at) : at + whole[0].length;
    blocks.push({ span: [at, end], isWhole: whole !== null });
    at = end;
    LINE_BREAK.lastIndex = at;
    at += LINE_BREAK.exec(text)?.[0].length ?? 0;
  }
  return blocks;
}

/** What is not closed goes on to the end of the text. */
const BLOCK = /[ \t]*(?:(```|~~~)[\s\S]*?(?:\1|$)|\$\$[\s\S]*?(?:\$\$|$)|\\\[[\s\S]*?(?:\\\]|$))/y;
const LINE_BREAK = /\r\n|[\n\r\u0085\u2028\u2029]/y;

function lineEnd(text: string, from: number): number {
  const found = text.slice(from).search(/[\n\r\u0085\u2028\u2029]/);
  return found < 0 ? text.length : from + found;
}

/** @returns the span without white space around it; none if it is blank */
export function trimmed(text: string, start: number, end: number): TextSpan[] {
  const own = text.slice(start, end);
  if (own.trim() === "") return [];
  return [[start + own.length - own.trimStart().length, end - own.length + own.trimEnd().length]];
}

function sentencesOfLine(text: string, start: number, end: number): TextSpan[] {
  const line = text.slice(start, end);
  const closed = [...line.matchAll(PROTECTED)].map(({ index, 0: { length } }) => [index, index + length]);
  const isProtected = (at: number): boolean => closed.some(([from, to]) => at >= from! && at < to!);
  const spans: TextSpan[] = [];
  let from = 0;
  for (const { index, 0: mark } of line.matchAll(TERMINATOR)) {
    const next = index + mark.length;
    if (isProtected(index) || !endsSentence(line.slice(from, index), mark, line.slice(next))) continue;
    spans.push(...trimmed(text, start + from, start + next));
    from = next;
  }
  return [...spans, ...trimmed(text, start + from, end)];
}

/** Inline code and inline formulas; a dollar sign in front of a sum of money opens none. */
const PROTECTED = /`[^`]+`|\\\(.*?\\\)|\$(?=\S)[^$]*[^\s$]\$(?!\d)/g;
/** What may end a sentence, with the quotes and brackets that close behind it. */
const TERMINATOR =
  /[.!?\u2026\u3002\uff01\uff1f\uff61\u0964\u061f]+["'\u2019\u201d\u00bb)\]}\u300d\u300f\uff09*_]*/g;

/**
 * @param before the sentence in front of the mark
 * @param mark   terminators, and what closes behind them
 * @param after  the rest of the line
 */
function endsSentence(before: string, mark: string, after: string): boolean {
  if (after.trim() === "") return true;
  const isFullWidth = /[\u3002\uff01\uff1f\uff61]/.test(mark);
  const isOpen = QUOTES.some(([open, close]) => count(before + mark, open) > count(before + mark, close));
  if (isOpen) return false;
  // a quotation that the sentence goes on after
  if (isFullWidth) return !(/[\u300d\u300f\u201d\u2019]$/.test(mark) && /^\p{L}/u.test(after));
  if (!/^\s/.test(after)) return false;
  const next = after.trimStart();
  if (!mark.startsWith(".")) return !(mark.startsWith("\u2026") && /^\p{Ll}/u.test(next));
  if (/^["'(\u201c\u00ab[]?\p{Ll}/u.test(next)) return false;
  return mark.startsWith("..") || !isAbbreviated(before, next);
}

/** Quotation marks whose sides differ; inside them no sentence ends. */
const QUOTES = [
  ["\u300c", "\u300d"],
  ["\u300e", "\u300f"],
] as const;

const count = (text: string, mark: string): number => text.split(mark).length - 1;

/** Whether the full stop behind `before` belongs to an abbreviation, an initial or the number of an item. */
function isAbbreviated(before: string, next: string): boolean {
  if (/^\s*[-*+\u2022]?\s*\(?(?:\d{1,3}|\p{L}|[ivx]{1,4})$/u.test(before)) return true;
  const word = /[\p{L}\p{M}.]+$/u.exec(before)?.[0] ?? "";
  const name = word.toLowerCase();
  if (NEVER_LAST.has(name)) return true;
  if (BEFORE_NUMBER.has(name)) return /^[\d([#]/.test(next);
  const starts = STARTERS.has(/^["'(\u201c]?(\p{L}+)/u.exec(next)?.[1] ?? "");
  if (/^(?:\p{Lu}\.)+\p{Lu}$/u.test(word)) return !starts; // U.S.
  if (/^\p{Lu}$/u.test(word)) return isInitial(before, word, next) && !starts;
  return MAYBE_LAST.has(name) && !starts;
}

/** "J. Smith", "George W. Bush", "J. R. R. Tolkien"; not "option B. Next" */
const isInitial = (before: string, letter: string, next: string): boolean =>
  /^\p{Lu}/u.test(next) && letter !== "I" && /(?:^|\p{Lu}[\p{L}.]*\s+|[("\u201c])\p{Lu}$/u.test(before);

const NEVER_LAST = new Set(
  "mr mrs ms dr prof st mt rev hon gen col capt lt sgt gov sen rep pres e.g i.e eg ie cf vs viz approx ca resp al".split(
    " ",
  ),
);
const BEFORE_NUMBER = new Set(
  "fig figs eq eqs sec secs ch chap vol no nos nr pp p art ref refs tab thm lem prop def ex app jan feb mar apr jun jul aug sep sept oct nov dec".split(
    " ",
  ),
);
const MAYBE_LAST = new Set("jr sr inc ltd co corp bros dept est univ ave blvd rd".split(" "));
/** Words that begin a sentence more often than they follow an abbreviation. */
const STARTERS = new Set(
  "A An And As At But By For From He Her His However I If In It Its Let Now On Our She So That The Their Then There Therefore These They This Those Thus To We What When Where Which Who Why You".split(
    " ",
  ),
);
