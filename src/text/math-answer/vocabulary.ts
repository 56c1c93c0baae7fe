import { type Cursor, isMark, peek } from "./cursor.ts";

/** Functions by the names and commands they go under, and the names they are known by here. */
export const FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ...["sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"].map((name) => [name, name] as const),
  ...["ln", "log", "lg", "exp", "abs", "gcd", "lcm", "max", "min"].map((name) => [name, name] as const),
  ["cosec", "csc"],
  ["arcsin", "asin"],
  ["arccos", "acos"],
  ["arctan", "atan"],
  ["asin", "asin"],
  ["acos", "acos"],
  ["atan", "atan"],
  ["sqrt", "sqrt"],
  ["cbrt", "cbrt"],
  ["floor", "floor"],
  ["ceil", "ceiling"],
]);

/** Those of an angle, within which a degree is pi/180. */
export const ANGLE_FUNCTIONS: ReadonlySet<string> = new Set(["sin", "cos", "tan", "cot", "sec", "csc"]);

export const CONSTANTS: ReadonlyMap<string, "pi" | "e" | "i" | "infinity"> = new Map([
  ["pi", "pi"],
  ["e", "e"],
  ["i", "i"],
  ["imath", "i"],
  ["infty", "infinity"],
  ["infinity", "infinity"],
  ["inf", "infinity"],
]);

/** Commands that stand for a symbol. */
export const SYMBOL_COMMANDS: ReadonlySet<string> = new Set(
  (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau " +
    "upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell hbar " +
    "mathbbN mathbbZ mathbbQ mathbbC"
  ).split(" "),
);

export const CURRENCIES: ReadonlyMap<string, string> = new Map([
  ["\\$", "dollar"],
  ["€", "euro"],
  ["£", "pound"],
  ["¥", "yen"],
  ["₹", "rupee"],
]);

/** Words before a number that say nothing about it. */
export const ADVERBS: ReadonlySet<string> = new Set(
  "approximately approx about roughly around exactly only just".split(" "),
);

export const SEPARATOR_WORDS: ReadonlySet<string> = new Set(["or", "and"]);

export const PERCENT_WORDS: ReadonlySet<string> = new Set(["percent", "percentage", "pct"]);

/** Words after a number that multiply it. */
export const SCALES: ReadonlyMap<string, number> = new Map([
  ["dozen", 12],
  ["hundred", 1e2],
  ["thousand", 1e3],
  ["million", 1e6],
  ["billion", 1e9],
  ["trillion", 1e12],
]);

/**
 * Letters side by side that are a product of symbols: `xy`, `abc`, `bi`, `xe`. Of longer ones only what has no vowel
 * or what x, y and z mark as algebra; the rest are words.
 */
export const isProductOfSymbols = (word: string): boolean =>
  /^(?:[a-df-hj-np-tv-z]{2}|[b-df-hj-np-tv-z][ei]|[ei][b-df-hj-np-tv-z]|[b-df-hj-np-tv-z]{3,4}|(?=[abc]*[xyz])[abcxyz]{3})$/.test(
    word,
  );

/** Two to four capitals are one symbol, as the points of a segment are. */
export const isPointNames = (word: string): boolean => /^[A-Z]{2,4}$/.test(word);

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

/** Spellings of one unit, the first of which stands for all. */
const SPELLINGS: readonly string[] = [
  "mm millimeter millimetre",
  "cm centimeter centimetre cms",
  "dm decimeter decimetre",
  "m meter metre",
  "km kilometer kilometre kms",
  "in inch inche",
  "ft foot feet",
  "yd yard yds",
  "mi mile",
  "mg milligram",
  "g gram gm",
  "kg kilogram kgs",
  "pound lb lbs",
  "oz ounce",
  "ml milliliter millilitre mL",
  "l liter litre L",
  "ms millisecond",
  "s second sec",
  "min minute mins",
  "h hour hr hrs",
  "day days",
  "yr year yrs",
  "degree deg",
  "radian rad",
  "dollar usd",
  "cent cents",
  "euro eur",
  "rupee rs inr",
  "mph miles/h",
  "hz hertz",
  "n newton",
  "j joule",
  "w watt",
  "kw kilowatt",
  "v volt",
  "pa pascal",
  "mol mole",
  "unit",
  "am",
  "pm",
  "ton tonne",
];

const STANDARD: ReadonlyMap<string, string> = new Map(
  SPELLINGS.flatMap((line) => {
    const [first = "", ...others] = line.split(" ");
    return [first, ...others].map((spelling) => [spelling, first] as const);
  }),
);

/** Units that one may take for a product of symbols, `cm` for c times m. */
export const isUnitName = (word: string): boolean => {
  const lower = word.toLowerCase();
  return word.length > 1 && (STANDARD.has(lower) || STANDARD.has(singular(lower)));
};

/** Single letters that are a unit if they stand apart from their number: `5 m`, but not `5m`. */
export const isUnitLetter = (letter: string): boolean => /^[mgshlLNJWV]$/.test(letter);

/**
 * One spelling of a unit: `square centimeters` and `cm ^2` are `cm^2`, `miles per hour` is `mph`. An unknown one is
 * its words in the singular.
 * @param words of the unit; `/`, `*` and powers such as `^2` are words of their own
 */
function standardizeUnit(words: readonly string[]): string {
  const parts: string[] = [];
  let power = "";
  for (const word of words) {
    const lower = word.toLowerCase();
    const named = POWERS.get(lower);
    if (named !== undefined) power = named;
    else if (/^\^/.test(word)) parts[parts.length - 1] += word === "^1" ? "" : word;
    else {
      parts.push(
        lower === "per"
          ? "/"
          : (STANDARD.get(lower) ?? STANDARD.get(singular(lower)) ?? singular(lower)) + power,
      );
      power = "";
    }
  }
  const unit = parts.join(" ").replace(/ ?([/*]) ?/g, "$1");
  return unit === "mi/h" ? "mph" : unit;
}

const POWERS: ReadonlyMap<string, string> = new Map([
  ["square", "^2"],
  ["sq", "^2"],
  ["cubic", "^3"],
  ["cu", "^3"],
]);

/** Whether a number in the one may be the number in the other: one has no unit, or says less: `apples`, `apples left`. */
export const compatibleUnits = (a: string, b: string): boolean =>
  a === b || a === "" || b === "" || a.startsWith(`${b} `) || b.startsWith(`${a} `);

const singular = (word: string): string => word.replace(/(?<=[a-z]{2})s$/, "");
