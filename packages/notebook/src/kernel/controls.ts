import type { ControlSpec, ControlValue } from "../wire.ts";
import { makeTable } from "./show-value.ts";

/** An input that a cell made; `view` shows it and gives its value to other cells. */
export class Control {
  readonly spec: ControlSpec;
  readonly initial: ControlValue;
  /** What cells read, out of what the page sends. */
  readonly read: (value: ControlValue) => unknown;

  constructor(
    spec: ControlSpec,
    initial: ControlValue,
    read: (value: ControlValue) => unknown = (value) => value,
  ) {
    this.spec = spec;
    this.initial = checkValue(spec, initial);
    this.read = read;
  }
}

interface NumberOptions {
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly label?: string;
}

/** The parts of a setting's JSON schema that determine its input; they are in `settingsSchema().properties`. */
interface SettingSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly SettingSchema[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  /** A description of the default. */
  readonly fallback?: string;
}

/** Options of a setting's input, which may narrow what the schema allows. */
interface SettingOptions extends NumberOptions {
  /** Some of the values that the schema allows. */
  readonly options?: readonly string[];
  readonly value?: number | string | boolean;
}

/** The inputs that notebooks can use, as `ui.…`. */
export const ui = {
  /**
   * The input of a study's setting: its type, range, words, default and label are the schema's where the notebook names no other.
   * @throws RangeError for a range, words or a value beyond what the schema admits
   */
  setting(schema: SettingSchema, { label = labelOf(schema), ...given }: SettingOptions = {}): Control {
    const { type, enum: words, default: initial } = schema;
    const value = given.value ?? initial;
    if (words !== undefined) {
      const { options = words } = given;
      for (const option of options)
        if (!words.includes(option)) throw beyond(label, option, words.join(", "));
      return ui.select({ label, options, ...(value === undefined ? {} : { value: String(value) }) });
    }
    if (type === "boolean") return ui.checkbox({ label, value: value === true });
    if (type === "number" || type === "integer") return makeNumber(schema, label, { ...given, value });
    return ui.text({ label, placeholder: schema.fallback ?? "", value: String(value ?? "") });
  },
  /** A number between two bounds. */
  slider({
    min = 0,
    max = 100,
    step = 1,
    value = min,
    label = "",
  }: NumberOptions & { readonly value?: number } = {}): Control {
    return new Control({ type: "slider", min, max, step, label }, value);
  },
  /** A number to type. */
  number({
    min = -Infinity,
    max = Infinity,
    step = 1,
    value = 0,
    label = "",
  }: NumberOptions & { readonly value?: number } = {}): Control {
    // JSON has no infinity
    return new Control(
      { type: "number", min: Math.max(min, -1e300), max: Math.min(max, 1e300), step, label },
      value,
    );
  },
  /** Two ends of an interval. */
  range({
    min = 0,
    max = 100,
    step = 1,
    value = [min, max],
    label = "",
  }: NumberOptions & { readonly value?: readonly number[] } = {}): Control {
    return new Control({ type: "range", min, max, step, label }, value);
  },
  /** One of some words. */
  select({
    options,
    value = options[0] ?? "",
    label = "",
  }: {
    readonly options: readonly string[];
    readonly value?: string;
    readonly label?: string;
  }): Control {
    return new Control({ type: "select", options, label }, value);
  },
  /** Some of some words. */
  multiselect({
    options,
    value = [],
    label = "",
  }: {
    readonly options: readonly string[];
    readonly value?: readonly string[];
    readonly label?: string;
  }): Control {
    return new Control({ type: "multiselect", options, label }, value);
  },
  checkbox({
    value = false,
    label = "",
  }: {
    readonly value?: boolean;
    readonly label?: string;
  } = {}): Control {
    return new Control({ type: "checkbox", label }, value);
  },
  text({
    value = "",
    label = "",
    placeholder = "",
  }: {
    readonly value?: string;
    readonly label?: string;
    readonly placeholder?: string;
  } = {}): Control {
    return new Control({ type: "text", label, placeholder }, value);
  },
  /** Counts how often it was pressed. */
  button({ label = "Press" }: { readonly label?: string } = {}): Control {
    return new Control({ type: "button", label }, 0);
  },
  /** Is true while what it started runs; `stop(!button)` makes a costly cell wait for it. */
  runButton({ label = "Run" }: { readonly label?: string } = {}): Control {
    return new Control({ type: "run-button", label }, false);
  },
  /** A file of the reader's; its value is null or `{ name, bytes }`. */
  file({ label = "File", accept = "" }: { readonly label?: string; readonly accept?: string } = {}): Control {
    return new Control({ type: "file", label, accept }, null, readFileValue);
  },
  /** Rows to choose from; its value is the rows that are chosen. */
  table<Row extends Readonly<Record<string, unknown>>>(
    rows: readonly Row[],
    {
      columns,
      label = "",
      multiple = true,
    }: { readonly columns?: readonly string[]; readonly label?: string; readonly multiple?: boolean } = {},
  ): Control {
    return new Control(
      { type: "table", label, isMultiple: multiple, table: makeTable(rows, columns) },
      [],
      (value) => (value as readonly number[]).map((at) => rows[at]),
    );
  },
};

/** A setting's description without its full stop. */
const labelOf = ({ description = "" }: SettingSchema): string => description.replace(/\.$/, "");

/** A slider if both ends are known, otherwise a number field. */
function makeNumber(
  { type, minimum, exclusiveMinimum, maximum, exclusiveMaximum }: SettingSchema,
  label: string,
  given: NumberOptions & { readonly value: unknown },
): Control {
  const least = minimum ?? exclusiveMinimum ?? -Infinity;
  const most = maximum ?? exclusiveMaximum ?? Infinity;
  const { step = type === "integer" ? 1 : 0.01 } = given;
  const min = given.min ?? (minimum === undefined ? least + step : least);
  const max = given.max ?? (maximum === undefined ? most - step : most);
  // the bounds of exact integers are not meant for a slider
  const isBounded = given.max !== undefined || (Number.isFinite(max) && max < Number.MAX_SAFE_INTEGER);
  if (min < least) throw beyond(label, min, `at least ${least}`);
  if (max > most) throw beyond(label, max, `at most ${most}`);
  const value = typeof given.value === "number" ? given.value : Math.max(min, 0);
  const bounds = { label, min, max, step };
  return Number.isFinite(min) && isBounded
    ? ui.slider({ ...bounds, value })
    : ui.number({ ...bounds, value });
}

const beyond = (label: string, got: string | number, expected: string): RangeError =>
  new RangeError(
    `The input "${label}" got ${JSON.stringify(got)}, expected ${expected} by the setting's schema.`,
  );

/**
 * Makes a value fit its input, or says what would fit.
 * @throws RangeError
 */
export function checkValue(spec: ControlSpec, value: ControlValue): ControlValue {
  const refuse = (expected: string): never => {
    throw new RangeError(
      `The input "${spec.label}" got ${JSON.stringify(value)?.slice(0, 80)}, expected ${expected}.`,
    );
  };
  switch (spec.type) {
    case "slider":
    case "number":
      return isWithin(value, spec) ? value : refuse(`a number from ${spec.min} to ${spec.max}`);
    case "range":
      return Array.isArray(value) &&
        value.length === 2 &&
        value.every((end) => isWithin(end, spec)) &&
        value[0] <= value[1]
        ? value
        : refuse(`two numbers from ${spec.min} to ${spec.max}, the smaller one first`);
    case "select":
      return typeof value === "string" && spec.options.includes(value)
        ? value
        : refuse(spec.options.join(", "));
    case "multiselect":
      return Array.isArray(value) && value.every((word) => spec.options.includes(word))
        ? value
        : refuse(`a list of ${spec.options.join(", ")}`);
    case "checkbox":
    case "run-button":
      return typeof value === "boolean" ? value : refuse("true or false");
    case "text":
      return typeof value === "string" ? value : refuse("a text");
    case "button":
      return Number.isSafeInteger(value) ? value : refuse("a count");
    case "table":
      return Array.isArray(value) &&
        value.every((row) => Number.isSafeInteger(row) && row >= 0 && row < spec.table.total)
        ? value
        : refuse(`a list of row numbers below ${spec.table.total}`);
    case "file":
      return value === null || (typeof value === "object" && "base64" in value)
        ? value
        : refuse("a file or null");
  }
}

const isWithin = (value: unknown, { min, max }: { readonly min: number; readonly max: number }): boolean =>
  typeof value === "number" && value >= min && value <= max;

function readFileValue(value: ControlValue): unknown {
  if (value === null || typeof value !== "object" || !("base64" in value)) return null;
  return { name: value.name, bytes: new Uint8Array(Buffer.from(value.base64, "base64")) };
}
