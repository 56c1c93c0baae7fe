/**
 * The Porter stem of an English word with NLTK's default extensions, which Python's `rouge_score` uses. The stemmers on
 * npm lack these extensions; see docs/dependencies.md.
 * @param word lower-case; words of one or two letters are their own stems
 * @see Porter 1980, "An algorithm for suffix stripping"; nltk.stem.porter, mode NLTK_EXTENSIONS
 */
export function porterStem(word: string): string {
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  if (word.length <= 2) return word;
  return [plural, pastAndGerund, finalY, derived, adjectival, residual, finalE, doubleL].reduce(
    (stem, step) => step(stem),
    word,
  );
}

const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ["skies", "sky"],
  ["sky", "sky"],
  ["dying", "die"],
  ["lying", "lie"],
  ["tying", "tie"],
  ["news", "news"],
  ["innings", "inning"],
  ["inning", "inning"],
  ["outings", "outing"],
  ["outing", "outing"],
  ["cannings", "canning"],
  ["canning", "canning"],
  ["howe", "howe"],
  ["proceed", "proceed"],
  ["exceed", "exceed"],
  ["succeed", "succeed"],
]);

/** An ending, what it becomes, and of what is left of it; the first ending that fits decides, whether it may or not. */
type Rule = readonly [ending: string, replacement: string, mayReplace: (stem: string) => boolean];

function applyFirst(word: string, rules: readonly Rule[]): string {
  const rule = rules.find(([ending]) => word.endsWith(ending));
  if (rule === undefined) return word;
  const [ending, replacement, mayReplace] = rule;
  const stem = word.slice(0, word.length - ending.length);
  return mayReplace(stem) ? stem + replacement : word;
}

const always = (): boolean => true;
const longerThan =
  (measure: number) =>
  (stem: string): boolean =>
    measureOf(stem) > measure;

/** Step 1a. */
function plural(word: string): string {
  if (word.endsWith("ies") && word.length === 4) return word.slice(0, -1);
  return applyFirst(word, [
    ["sses", "ss", always],
    ["ies", "i", always],
    ["ss", "ss", always],
    ["s", "", always],
  ]);
}

/** Step 1b. */
function pastAndGerund(word: string): string {
  if (word.endsWith("ied")) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith("eed")) return applyFirst(word, [["eed", "ee", longerThan(0)]]);
  const ending = ["ed", "ing"].find((each) => word.endsWith(each) && hasVowel(word.slice(0, -each.length)));
  if (ending === undefined) return word;
  const stem = word.slice(0, -ending.length);
  if (["at", "bl", "iz"].some((each) => stem.endsWith(each))) return `${stem}e`;
  if (endsInDouble(stem)) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1);
  return measureOf(stem) === 1 && endsShort(stem) ? `${stem}e` : stem;
}

/** Step 1c. */
const finalY = (word: string): string =>
  applyFirst(word, [["y", "i", (stem) => stem.length > 1 && endsInConsonant(stem)]]);

/** Step 2. */
function derived(word: string): string {
  if (word.endsWith("alli") && measureOf(word.slice(0, -4)) > 0) return derived(word.slice(0, -2));
  return applyFirst(word, STEP_2);
}

const rules = (measure: number, table: string): readonly Rule[] =>
  table.split(" ").map((pair) => {
    const [ending, replacement] = pair.split(":") as [string, string];
    return [ending, replacement, longerThan(measure)];
  });

const STEP_2: readonly Rule[] = [
  ...rules(
    0,
    "ational:ate tional:tion enci:ence anci:ance izer:ize bli:ble alli:al entli:ent eli:e ousli:ous " +
      "ization:ize ation:ate ator:ate alism:al iveness:ive fulness:ful ousness:ous aliti:al iviti:ive " +
      "biliti:ble fulli:ful",
  ),
  // the l counts towards what is left, as in "apology" and "archaeology"
  ["logi", "log", (stem) => measureOf(`${stem}l`) > 0],
];

/** Step 3. */
const STEP_3 = rules(0, "icate:ic ative: alize:al iciti:ic ical:ic ful: ness:");
const adjectival = (word: string): string => applyFirst(word, STEP_3);

/** Step 4. */
const STEP_4: readonly Rule[] = [
  ...rules(1, "al: ance: ence: er: ic: able: ible: ant: ement: ment: ent:"),
  ["ion", "", (stem) => measureOf(stem) > 1 && /[st]$/.test(stem)],
  ...rules(1, "ou: ism: ate: iti: ous: ive: ize:"),
];
const residual = (word: string): string => applyFirst(word, STEP_4);

/** Step 5a. */
const finalE = (word: string): string =>
  applyFirst(word, [["e", "", (stem) => measureOf(stem) > 1 || (measureOf(stem) === 1 && !endsShort(stem))]]);

/** Step 5b. */
const doubleL = (word: string): string =>
  word.endsWith("ll") && measureOf(word.slice(0, -1)) > 1 ? word.slice(0, -1) : word;

/** Which letters are consonants; a y is one at the beginning and after a vowel. */
function consonants(word: string): boolean[] {
  const flags: boolean[] = [];
  for (const [at, letter] of [...word].entries())
    flags.push(letter === "y" ? at === 0 || flags[at - 1] === false : !"aeiou".includes(letter));
  return flags;
}

/** Porter's m: how many times vowels are followed by consonants. */
const measureOf = (stem: string): number =>
  consonants(stem).filter((isConsonant, at, flags) => isConsonant && flags[at - 1] === false).length;

const hasVowel = (stem: string): boolean => consonants(stem).includes(false);

const endsInConsonant = (word: string): boolean => consonants(word).at(-1) === true;

const endsInDouble = (word: string): boolean =>
  word.length >= 2 && word.at(-1) === word.at(-2) && endsInConsonant(word);

/** Consonant, vowel, consonant other than w, x and y; or a whole word of a vowel and a consonant. */
function endsShort(word: string): boolean {
  const flags = consonants(word);
  if (flags.length === 2) return flags[0] === false && flags[1] === true;
  const [first, second, third] = flags.slice(-3);
  return first === true && second === false && third === true && !/[wxy]$/.test(word);
}
