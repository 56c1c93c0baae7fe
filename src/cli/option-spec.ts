/** One command-line option: how its help reads, and how its text becomes a value. */
export interface OptionSpec<T> {
  /** Also given without its name, and must be given: `sep models pull MODEL`. */
  readonly isOperand?: boolean;
  /** An operand that need not be given. */
  readonly isOptional?: boolean;
  /** An operand that may be given more than once: `sep transfer DIR DIR`. */
  readonly isRepeatable?: boolean;
  /** Takes all that stands behind `--`. */
  readonly isRest?: boolean;
  /** false for a flag, which is true when given. */
  readonly takesValue: boolean;
  /** What stands for the value in help: "N", "DIR", "math|exact". Empty for a flag. */
  readonly placeholder: string;
  readonly help: string;
  /** How help shows the default; null where there is nothing to show. */
  readonly defaultText: string | null;
  /** The value when the option is not given. */
  readonly initial: T;
  /** Completes "expected …" in the error. */
  readonly expected: string;
  /**
   * @param given the texts of every occurrence, at least one
   * @returns undefined when they are not valid
   */
  readonly parse: (given: readonly string[]) => T | undefined;
}

/** Option name without its dashes -> what it is. */
export type OptionTable = { readonly [name: string]: OptionSpec<unknown> };

/** The parsed value of each option of a table. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionSpec<infer T> ? T : never;
};

/** An option without a value: `--force`. */
export function flag(help: string): OptionSpec<boolean> {
  return {
    takesValue: false,
    placeholder: "",
    help,
    defaultText: null,
    initial: false,
    expected: "no value",
    parse: () => true,
  };
}

/** Any non-empty text. `defaultText` describes a default that is worked out later. */
export function text<D extends string | undefined>(
  placeholder: string,
  initial: D,
  help: string,
  defaultText: string | null = initial ?? null,
): OptionSpec<string | D> {
  return {
    takesValue: true,
    placeholder,
    help,
    defaultText,
    initial,
    expected: "a text that is not empty",
    parse: (given) => last(given) || undefined,
  };
}

/** What a command works on, given with or without its name. A table has one at most. */
export function operand(placeholder: string, help: string): OptionSpec<string> {
  return { ...text(placeholder, "", help, null), isOperand: true };
}

/** A sentence, quoted or not, that a command works on unless it gets that in another way. */
export function optionalSentence(placeholder: string, help: string): OptionSpec<string | undefined> {
  return {
    ...text(placeholder, undefined, help),
    isOperand: true,
    isOptional: true,
    isRepeatable: true,
    parse: (given) => given.join(" ").trim() || undefined,
  };
}

/** Several of what a command works on; at least one must be given. */
export function operands(placeholder: string, help: string): OptionSpec<readonly string[]> {
  return { ...texts(placeholder, help), help, isOperand: true, isRepeatable: true };
}

/** Everything behind `--`, as it is. A table has one at most. */
export function restArguments(help: string): OptionSpec<readonly string[]> {
  return { ...texts("ARGS", help), help, isRest: true, parse: (given) => given };
}

/** Any texts; the option may be repeated. */
export function texts(placeholder: string, help: string): OptionSpec<readonly string[]> {
  return {
    takesValue: true,
    placeholder,
    help: `${help} Repeatable.`,
    defaultText: null,
    initial: [],
    expected: "a text that is not empty",
    parse: (given) => (given.includes("") ? undefined : given),
  };
}

/** Bounds of a number; a missing bound does not bind. */
export interface NumberRange {
  readonly integer?: boolean;
  readonly min?: number;
  /** Bound that the value must stay above. */
  readonly above?: number;
  readonly max?: number;
  /** Bound that the value must stay below. */
  readonly below?: number;
}

/** A finite number within a range. `defaultText` describes a default that is worked out later. */
export function number<D extends number | undefined>(
  range: NumberRange,
  initial: D,
  help: string,
  defaultText: string | null = initial === undefined ? null : String(initial),
): OptionSpec<number | D> {
  return {
    takesValue: true,
    placeholder: "N",
    help,
    defaultText,
    initial,
    expected: describeRange(range),
    parse: (given) => parseNumber(last(given), range),
  };
}

/** One of a few words. `notes` explains words that people may try and that are not among them. */
export function choice<const C extends string>(
  choices: readonly C[],
  initial: C,
  help: string,
  notes = "",
): OptionSpec<C> {
  return {
    takesValue: true,
    placeholder: choices.join("|"),
    help,
    defaultText: initial,
    initial,
    expected: `${joinWithOr(choices)}${notes === "" ? "" : `. ${notes}`}`,
    parse: (given) => choices.find((word) => word === last(given)),
  };
}

/** @returns null when `text` is not a decimal number within the range */
export function parseNumber(text: string, range: NumberRange): number | undefined {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  const fits =
    Number.isFinite(value) &&
    (range.integer !== true || Number.isSafeInteger(value)) &&
    (range.min === undefined || value >= range.min) &&
    (range.above === undefined || value > range.above) &&
    (range.max === undefined || value <= range.max) &&
    (range.below === undefined || value < range.below);
  return fits ? value : undefined;
}

/** "a, b or c" */
export function joinWithOr(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** "an integer >= 1" */
export function describeRange({ integer, min, above, max, below }: NumberRange): string {
  const bounds = [
    ...(min === undefined ? [] : [`>= ${min}`]),
    ...(above === undefined ? [] : [`> ${above}`]),
    ...(max === undefined ? [] : [`<= ${max}`]),
    ...(below === undefined ? [] : [`< ${below}`]),
  ];
  const noun = integer === true ? "an integer" : "a number";
  return bounds.length === 0 ? noun : `${noun} ${bounds.join(" and ")}`;
}

const last = (given: readonly string[]): string => given[given.length - 1] as string;
