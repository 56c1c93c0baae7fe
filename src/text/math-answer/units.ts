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
export function standardizeUnit(words: readonly string[]): string {
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
