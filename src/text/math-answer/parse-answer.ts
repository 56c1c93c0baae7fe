import { type Answer, quantity } from "./answer.ts";
import { createCursor, isMark } from "./cursor.ts";
import { type Expression, negative } from "./expression.ts";
import { parseList } from "./parse-list.ts";
import { parseSum } from "./parse-sum.ts";
import { parseNumeral } from "./read-number.ts";
import { joinTokens, type Token, tokenize } from "./tokenize.ts";
import { ADVERBS } from "./vocabulary.ts";

/**
 * Reads an answer in LaTeX or plain text. What cannot be read as mathematics, a malformed formula as well as a
 * name, is text. Never fails; the time is bounded by the length, whatever the text.
 */
export function parseAnswer(text: string): Answer {
  const tokens = trim(tokenize(text));
  const labelled = parseChoice(tokens);
  if (labelled !== null) return labelled;
  return parseWhole(tokens);
}

/** Without the full stop, and the words or sign in front that say nothing. */
function trim(tokens: readonly Token[]): readonly Token[] {
  let [from, to] = [0, tokens.length];
  while (to > from && /^[.,;:]$/.test(tokens[to - 1]?.text ?? "")) to--;
  while (from < to - 1 && isEmptyTalk(tokens[from] as Token)) from++;
  const rest = tokens.slice(from, to);
  if (!isMark(rest[0], "<") || !isMark(rest.at(-1), ">")) return rest;
  return rest.map((token, at) =>
    at === 0 ? named(token, "langle") : at === rest.length - 1 ? named(token, "rangle") : token,
  );
}

/** `<1, 2>` as `\langle 1, 2\rangle`. */
const named = (token: Token, text: string): Token => ({ ...token, kind: "command", text });

const isEmptyTalk = ({ kind, text }: Token): boolean =>
  kind === "word" ? ADVERBS.has(text.toLowerCase()) : text === "=" || text === "≈";

/** `(B) 12`, `B. 12`, `B) 12`: the letter of a choice, and what it stands for. */
function parseChoice(tokens: readonly Token[]): Answer | null {
  const start = isMark(tokens[0], "(") ? 1 : 0;
  const letter = tokens[start];
  const closer = tokens[start + 1]?.text ?? "";
  const rest = tokens.slice(start + 2);
  if (letter?.kind !== "word" || !/^[A-J]$/.test(letter.text) || rest.length === 0) return null;
  if (start === 1 ? closer !== ")" : !/^[).:]$/.test(closer)) return null;
  if (!rest[0]?.spaced) return null;
  return { kind: "choice", letter: letter.text, content: parseWhole(rest) };
}

function parseWhole(tokens: readonly Token[]): Answer {
  const cursor = createCursor(tokens, parseSum);
  const answer = tokens.length === 0 ? null : parseList(cursor);
  if (answer === null || cursor.at !== tokens.length) return { kind: "text", text: joinTokens(tokens) };
  const decimal = answer.kind === "list" ? parseDecimalComma(tokens) : null;
  return answer.kind === "list" && decimal !== null ? { ...answer, decimal: quantity(decimal) } : answer;
}

/** `3,14` as 3.14. */
function parseDecimalComma(tokens: readonly Token[]): Expression | null {
  const [, sign = "", whole = "", fraction = ""] =
    /^(-?)(\d+),(\d+)$/.exec(
      tokens
        .map(({ text, spaced }) => (spaced ? ` ${text}` : text))
        .join("")
        .trim(),
    ) ?? [];
  const value = whole === "" ? null : parseNumeral(`${whole}.${fraction}`);
  return value === null || sign === "" ? value : negative(value);
}
