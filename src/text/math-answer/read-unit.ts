import { type Cursor, isMark, peek } from "./cursor.ts";
import { standardizeUnit } from "./units.ts";
import { CURRENCIES, SEPARATOR_WORDS } from "./vocabulary.ts";

/** A noun with its adjectives; more of them are a sentence. */
const MAX_WORDS = 5;

/**
 * The unit after a number, to the end of the answer or of its part: `cm`, `cm^2`, `m/s`, `square feet`, `apples`.
 * @returns "" if there is none, null if what follows is no unit
 */
export function readUnit(cursor: Cursor): string | null {
  const words: string[] = [];
  while (!endsPart(cursor)) {
    const token = peek(cursor);
    const text = token?.text ?? "";
    if (token?.kind === "word") words.push(text);
    else if (CURRENCIES.has(text)) words.push(CURRENCIES.get(text) as string);
    else if (token?.kind === "number" && words.length > 0 && !token.spaced && /^[23]$/.test(text))
      words.push(`^${text}`);
    else if (text === "^" && words.length > 0) {
      const braced = isMark(peek(cursor, 1), "{") ? 1 : 0;
      const minus = isMark(peek(cursor, 1 + braced), "-") ? 1 : 0;
      const digits = peek(cursor, 1 + braced + minus);
      if (digits?.kind !== "number" || (braced === 1 && !isMark(peek(cursor, 2 + braced + minus), "}")))
        return null;
      words.push(`^${minus ? "-" : ""}${digits.text}`);
      cursor.at += 1 + 2 * braced + minus;
    } else if ((text === "/" || text === "*") && words.length > 0) words.push(text);
    else if (text !== "-" || words.length === 0) return null;
    cursor.at++;
    if (words.length > MAX_WORDS) return null;
  }
  return standardizeUnit(words);
}

function endsPart(cursor: Cursor): boolean {
  const token = peek(cursor);
  if (token === undefined) return true;
  if (token.kind === "word") return SEPARATOR_WORDS.has(token.text.toLowerCase());
  return token.kind === "mark" ? PART_ENDS.has(token.text) : /^(?:in|end|rangle)$/.test(token.text);
}

const PART_ENDS: ReadonlySet<string> = new Set(", ; ) ] } \\} & \\\\ = < > <= >= != ≈ |".split(" "));
