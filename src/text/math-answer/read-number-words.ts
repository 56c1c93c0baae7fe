import { type Cursor, isMark, peek } from "./cursor.ts";
import { type Expression, exactNumber, wholeNumber } from "./expression.ts";
import { rational } from "./rational.ts";

/**
 * A number in English words: "twenty-one", "three hundred and five", "two thirds", "one half". The cursor stays
 * where it is if none is there.
 */
export function readNumberWords(cursor: Cursor): Expression | null {
  const start = cursor.at;
  let total = 0;
  let group: number | null = null;
  for (let word = nextWord(cursor, group !== null); word !== null; word = nextWord(cursor, true)) {
    const small = SMALL.get(word);
    const scale = SCALE_WORDS.get(word);
    if (small !== undefined && fits(group, small)) group = (group ?? 0) + small;
    else if (word === "hundred" && group !== null && group < 100) group *= 100;
    else if (scale !== undefined && group !== null) {
      total += group * scale;
      group = 0;
    } else {
      const parts = partsIn(word);
      if (parts === undefined || group === null) break;
      step(cursor);
      const fraction = rational(BigInt(total + group), parts);
      return fraction === null ? null : exactNumber(fraction);
    }
    step(cursor);
  }
  if (group === null) {
    cursor.at = start;
    return null;
  }
  return wholeNumber(total + group);
}

/** "twenty" takes "one", "hundred" takes "five"; "five six" are two numbers. */
const fits = (group: number | null, small: number): boolean => {
  if (group === null || group === 0) return true;
  return small !== 0 && (small < 10 ? group % 10 === 0 && group % 100 !== 10 : group % 100 === 0);
};

/** The next word of the number, past the hyphen or "and" within it. */
function nextWord(cursor: Cursor, within: boolean): string | null {
  const skip = within ? gapBefore(cursor) : 0;
  const token = peek(cursor, skip);
  return token?.kind === "word" ? token.text.toLowerCase() : null;
}

function step(cursor: Cursor): void {
  cursor.at += 1 + gapBefore(cursor);
}

function gapBefore(cursor: Cursor): number {
  const token = peek(cursor);
  const after = peek(cursor, 1);
  const joins = isMark(token, "-") || (token?.kind === "word" && token.text === "and");
  return joins && after?.kind === "word" && isNumberWord(after.text.toLowerCase()) ? 1 : 0;
}

const isNumberWord = (word: string): boolean => SMALL.has(word) || partsIn(word) !== undefined;

/** 4 of "fourths". */
const partsIn = (word: string): bigint | undefined => PARTS.get(word) ?? PARTS.get(word.replace(/s$/, ""));

const SMALL: ReadonlyMap<string, number> = new Map(
  (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " +
    "seventeen eighteen nineteen"
  )
    .split(" ")
    .map((word, value) => [word, value] as const)
    .concat(
      "twenty thirty forty fifty sixty seventy eighty ninety"
        .split(" ")
        .map((word, tens) => [word, 10 * (tens + 2)] as const),
    ),
);

const SCALE_WORDS: ReadonlyMap<string, number> = new Map([
  ["thousand", 1e3],
  ["million", 1e6],
  ["billion", 1e9],
]);

const PARTS: ReadonlyMap<string, bigint> = new Map([
  ["half", 2n],
  ["halve", 2n], // "halves" without its s
  ["third", 3n],
  ["quarter", 4n],
  ["fourth", 4n],
  ["fifth", 5n],
  ["sixth", 6n],
  ["seventh", 7n],
  ["eighth", 8n],
  ["ninth", 9n],
  ["tenth", 10n],
]);
