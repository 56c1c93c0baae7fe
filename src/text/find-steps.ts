import { findBlocks, type TextSpan, trimmed } from "./find-sentences.ts";

/**
 * The steps of a reasoning, in order, each without the white space around it: its lines that are not blank. A line with
 * several equations has a step for each, which ends behind it; fenced code or a displayed formula is one step.
 */
export function findSteps(text: string): TextSpan[] {
  return findBlocks(text).flatMap(({ span: [start, end], isWhole }) => {
    if (isWhole) return trimmed(text, start, end);
    const ends = findEquations(text.slice(start, end)).map(({ span }) => start + span[1]);
    const cuts = [start, ...ends.slice(0, -1).map((at) => behindMark(text, at)), end];
    return cuts.slice(1).flatMap((to, i) => trimmed(text, cuts[i]!, to));
  });
}

/** The punctuation behind an equation is its own. */
const behindMark = (text: string, at: number): number =>
  at + (/^[,;:.)\]]+/.exec(text.slice(at))?.[0].length ?? 0);

/** An equation of numbers in a text. */
export interface Equation {
  readonly span: TextSpan;
  /** Two or more: `1/2 = 2/4 = 0.5` has three. */
  readonly sides: readonly string[];
}

/**
 * The equations in a text whose sides are numbers and operators between them, in plain text or in LaTeX. What has
 * unknowns is none; a unit behind the last number is left out.
 */
export function findEquations(text: string): Equation[] {
  // the pattern takes time in the square of a long run of numbers that no equals sign ends
  if (!text.includes("=")) return [];
  return [...text.matchAll(EQUATION)].flatMap(({ index, 0: found }): Equation[] => {
    const before = text[index - 1] ?? "";
    // the right-hand end of something that is not read: "x+2=5", "3^{x}+2=5", "12.5=…" cut in two
    if (/[\p{L}\d.}^_]/u.test(before) || /^\s*[-+*/^]?\s*$/.test(found)) return [];
    if (
      /[-+*/^×÷·]\s*$/.test(text.slice(0, index)) ||
      /^[\p{L}^_{\d]|^\s*[-+*/×÷·^]/u.test(text.slice(index + found.length))
    )
      return [];
    return [{ span: [index, index + found.length], sides: found.split("=").map(spellSide) }];
  });
}

/** A multiplication that is written with the letter, and signs that are not those of ASCII. */
const spellSide = (side: string): string =>
  side.trim().replace(/[x×]/g, "*").replace(/[−–]/g, "-").replaceAll("÷", "/").replaceAll("**", "^");

const NUMBER = String.raw`[$€£]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?%?`;
const FRACTION = String.raw`\\[dt]?frac\{-?\d+\}\{-?\d+\}`;
const OPERATOR = String.raw`(?:\*\*|[-+*/^x×÷·−–]|\\times|\\cdot|\\div)`;
const OPENING = String.raw`[-−(\s]*`;
const CLOSING = String.raw`[)\s]*`;
const VALUE = `(?:${FRACTION}|${NUMBER})`;
const SIDE = `${VALUE}(?:${CLOSING}${OPERATOR}${OPENING}${VALUE})*`;
const EQUATION = new RegExp(String.raw`[-−(]*${SIDE}\)*(?:\s*=\s*[-−(]*${SIDE}\)*)+`, "g");
