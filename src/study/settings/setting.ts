import { z } from "zod";
import { SepError } from "../../errors.ts";

/** Settings by name, each a zod schema that {@link setting} has described. */
export type Settings = Readonly<Record<string, z.ZodType>>;

/** What a caller may give: every setting that has a default, or may be absent, can be left out. */
export type SettingsInput<S extends Settings> = { readonly [Name in keyof S]?: z.input<S[Name]> | undefined };

/** All settings, with defaults filled in. */
export type SettingsOutput<S extends Settings> = { readonly [Name in keyof S]: z.output<S[Name]> };

/** Headings under which help and docs/cli/ list settings, in this order. A setting without one is a main option. */
export const SETTING_GROUPS = [
  "Main options",
  "Decisions",
  "Sampling and grading",
  "Prompt",
  "Meaning and entropy",
  "Hidden states",
  "Probes",
  "Model and machine",
  "vLLM",
  "nnsight",
  "Access and limits",
  "Study and output",
] as const;
type SettingGroup = (typeof SETTING_GROUPS)[number];

/** How a setting reads in help and documentation, where that does not follow from its schema. */
export interface SettingNotes {
  readonly group?: SettingGroup;
  /** What stands for the value: "DIR", "NAME|PATH". */
  readonly placeholder?: string;
  /** A default that is worked out later, in words. */
  readonly fallback?: string;
  /** What the items of a list are called in errors: "layers from 0". Not `items`, which would replace those of the JSON schema. */
  readonly noun?: string;
  /** Completes "expected …" where the schema cannot say it. */
  readonly expected?: string;
  /** Explains words that people try and that are not among the choices. */
  readonly hint?: string;
  /** A list that is given as one option per item, not as one text with commas. */
  readonly isRepeatable?: boolean;
  /** false where the option of the same name of `sep run` means something else, so that a file of settings has no say. */
  readonly inFile?: boolean;
  /** Also given without its name: one value, at least one, or words that make a sentence. */
  readonly operand?: "one" | "some" | "sentence";
  /** Takes everything behind `--`. */
  readonly isRest?: boolean;
  /** The backends that use it; others refuse it. Without this, every backend uses the setting. */
  readonly backends?: readonly string[];
  /** The setting without which this one has no effect. */
  readonly needs?: string;
  /** The rules of `--equivalence` that use it; others refuse it. */
  readonly equivalences?: readonly string[];
  /** The values of `--correctness` that use it, too. */
  readonly graders?: readonly string[];
  /** Whether uncertainty measures beyond the default ones use it, too, whatever the rule. */
  readonly isForMeasures?: boolean;
}

/** A setting: its schema with type, range and default, and one sentence on what it does. */
export const setting = <S extends z.ZodType>(schema: S, help: string, notes: SettingNotes = {}): S =>
  schema.meta({ ...notes, description: help }) as S;

/** The same setting under another sentence or other notes. */
export const redescribe = <S extends z.ZodType>(
  schema: S,
  changes: SettingNotes & { readonly help?: string },
): S => {
  const { help, ...notes } = changes;
  return schema.meta({
    ...schema.meta(),
    ...notes,
    ...(help === undefined ? {} : { description: help }),
  }) as S;
};

/** The same settings under a heading of help and documentation. */
export const inGroup = <S extends Settings>(group: SettingGroup, settings: S): S =>
  Object.fromEntries(
    Object.entries(settings).map(([name, schema]) => [name, redescribe(schema, { group })]),
  ) as S;

/** A setting that is on or off. */
export const flag = (help: string, notes: SettingNotes = {}): z.ZodDefault<z.ZodBoolean> =>
  setting(z.boolean().default(false), help, notes);

/** What a command works on, given with or without its name. A command has one at most. */
export const operand = (placeholder: string, help: string): z.ZodString =>
  setting(z.string().min(1), help, { placeholder, operand: "one" });

/** Several of what a command works on; at least one must be given. */
export const operands = (placeholder: string, help: string): z.ZodReadonly<z.ZodArray<z.ZodString>> =>
  setting(z.array(z.string().min(1)).min(1).readonly(), help, { placeholder, operand: "some" });

/** Everything behind `--`, as it is. A command has one at most. */
export const restArguments = (help: string): z.ZodDefault<z.ZodReadonly<z.ZodArray<z.ZodString>>> =>
  setting(z.array(z.string()).readonly().default([]), help, { placeholder: "ARGS", isRest: true });

/** A text that is not empty and may be left out. */
export const text = (
  placeholder: string,
  help: string,
  fallback?: string,
  notes: SettingNotes = {},
): z.ZodOptional<z.ZodString> =>
  setting(z.string().min(1).optional(), help, {
    placeholder,
    ...(fallback === undefined ? {} : { fallback }),
    ...notes,
  });

/**
 * Picks the settings of a step out of a caller's options, checks them, and fills in the defaults.
 * @throws SepError `bad-option` with the name, the value, and what is expected
 */
export function resolveSettings<S extends Settings>(settings: S, given: SettingsInput<S>): SettingsOutput<S> {
  const resolved: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(settings)) {
    const value = (given as Readonly<Record<string, unknown>>)[name];
    const parsed = schema.safeParse(value);
    if (!parsed.success)
      throw new SepError(
        "bad-option",
        `Got ${name} ${JSON.stringify(value)}, expected ${describeExpected(schema, "value")}.`,
      );
    resolved[name] = parsed.data;
  }
  return resolved as SettingsOutput<S>;
}

/** The value of a setting that is not given. */
export const defaultOf = <S extends z.ZodType>(schema: S): z.output<S> => schema.parse(undefined);

/** What help, documentation and parsers need to know of one setting. */
export interface DescribedSetting extends SettingNotes {
  readonly group: SettingGroup;
  /** As on the command line, without dashes: "max-new-tokens". */
  readonly flag: string;
  readonly help: string;
  readonly takesValue: boolean;
  /** Empty for a flag. */
  readonly placeholder: string;
  /** As help shows it; null if there is nothing to show. */
  readonly defaultText: string | null;
  /** The words that a value, or an item of a list, may be; there may be other values besides. */
  readonly choices: readonly string[];
}

export function describeSetting(name: string, schema: z.ZodType): DescribedSetting {
  const { description = "", ...notes } = (schema.meta() ?? {}) as SettingNotes & {
    readonly description?: string;
  };
  const shape = shapeOf(schema);
  const takesValue = shape.type !== "boolean";
  const { default: initial } = shape;
  const shown = initial === undefined || !takesValue || Array.isArray(initial) ? null : String(initial);
  return {
    ...notes,
    group: notes.group ?? "Main options",
    flag: toFlag(name),
    help: notes.isRepeatable ? `${description} Repeatable.` : description,
    takesValue,
    placeholder: takesValue ? (notes.placeholder ?? placeholderOf(shape)) : "",
    defaultText: notes.fallback ?? shown,
    choices: takesValue ? listChoices(shape, notes.placeholder) : [],
  };
}

/** "maxNewTokens" -> "max-new-tokens" */
export const toFlag = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * Reads a setting from the texts of a command line.
 * @param texts of every occurrence, at least one; the last one counts where only one can
 * @returns undefined where they are not valid
 */
export function parseTexts(
  schema: z.ZodType,
  texts: readonly string[],
): { readonly value: unknown } | undefined {
  for (const candidate of candidates(shapeOf(schema), texts, (schema.meta() ?? {}) as SettingNotes)) {
    const parsed = schema.safeParse(candidate);
    if (parsed.success) return { value: parsed.data };
  }
  return undefined;
}

/**
 * Completes "expected …".
 * @param form of a list: a text with commas, or a value with items
 */
export function describeExpected(schema: z.ZodType, form: "text" | "value"): string {
  const { expected, noun, hint } = (schema.meta() ?? {}) as SettingNotes;
  return `${expected ?? describeShape(shapeOf(schema), form, noun)}${hint === undefined ? "" : `. ${hint}`}`;
}

/** "a, b or c" */
export function joinWithOr(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** The part of JSON schema that settings use. */
interface Shape {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
}

const shapeOf = (schema: z.ZodType): Shape => z.toJSONSchema(schema, { io: "input" }) as Shape;

/** The words that a shape admits; null if it admits others. */
const wordsOf = (shape: Shape): readonly string[] | null =>
  shape.enum ?? (shape.const === undefined ? null : [shape.const]);

/** Those that the schema names, and those among the alternatives of a placeholder: "ID|DIR|pocket". */
function listChoices(shape: Shape, placeholder = ""): string[] {
  const named = (each: Shape): readonly string[] =>
    wordsOf(each) ??
    [...(each.anyOf ?? []), ...(each.items === undefined ? [] : [each.items])].flatMap(named);
  const alternatives = placeholder.split("|").filter((word) => /^[a-z][a-z0-9-]*$/.test(word));
  return [...new Set([...named(shape), ...alternatives])];
}

function placeholderOf(shape: Shape): string {
  const words = wordsOf(shape);
  if (words !== null) return words.join("|");
  if (shape.anyOf !== undefined) return shape.anyOf.map(placeholderOf).join("|");
  if (shape.type === "array") return "LIST";
  return shape.type === "string" ? "TEXT" : "N";
}

/** What texts may mean, most likely first; the schema says what is valid. */
function candidates(shape: Shape, texts: readonly string[], notes: SettingNotes): unknown[] {
  const last = texts.at(-1) as string;
  if (shape.anyOf !== undefined) return shape.anyOf.flatMap((each) => candidates(each, texts, notes));
  if (shape.type === "boolean") return [true];
  if (shape.type === "number" || shape.type === "integer") return [parseNumber(last)];
  if (shape.type === "string") return [notes.operand === "sentence" ? texts.join(" ").trim() : last];
  if (notes.isRepeatable || notes.isRest || notes.operand === "some") return [texts];
  const items = last.split(",").map((item) => item.trim());
  return [shape.items?.type === "string" ? items : items.map(parseNumber)];
}

/** Decimal numbers only: no hexadecimal, no empty text, no infinity. */
const parseNumber = (text: string): number =>
  /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;

function describeShape(shape: Shape, form: "text" | "value", noun?: string): string {
  const words = wordsOf(shape);
  if (words !== null) return joinWithOr(words);
  if (shape.anyOf !== undefined) {
    const list = shape.anyOf.find(({ type }) => type === "array");
    const parts = shape.anyOf.flatMap((each) => wordsOf(each) ?? [describeShape(each, form, noun)]);
    return list === undefined ? joinWithOr(parts) : `${parts.slice(0, -1).join(", ")}, or ${parts.at(-1)}`;
  }
  if (shape.type === "boolean") return form === "text" ? "no value" : "true or false";
  if (shape.type === "array") {
    const each = wordsOf(shape.items ?? {});
    const items = each === null ? (noun ?? "texts") : `some of ${joinWithOr(each)}`;
    return form === "text" ? `${items} separated by commas` : `a list of ${items}`;
  }
  return shape.type === "string" ? "a text that is not empty" : describeRange(shape);
}

/** "an integer >= 1" */
function describeRange({ type, minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Shape): string {
  const bounds = [
    ...(isBound(minimum) ? [`>= ${minimum}`] : []),
    ...(isBound(exclusiveMinimum) ? [`> ${exclusiveMinimum}`] : []),
    ...(isBound(maximum) ? [`<= ${maximum}`] : []),
    ...(isBound(exclusiveMaximum) ? [`< ${exclusiveMaximum}`] : []),
  ];
  const noun = type === "integer" ? "an integer" : "a number";
  return bounds.length === 0 ? noun : `${noun} ${bounds.join(" and ")}`;
}

/** Integers carry the bounds of exact arithmetic, which nobody needs to read. */
const isBound = (bound: number | undefined): bound is number =>
  bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
