import { SepError } from "../../errors.ts";

/** Typed access to a checkpoint's `config.json`; every complaint names the file, the field and its value. */
export interface ConfigReader {
  readonly path: string;
  /** Whether the field is there and not null. */
  has(field: string): boolean;
  /** Names of the fields that are there and not null. */
  fields(): readonly string[];
  /** A positive integer. */
  size(field: string, fallback?: number): number;
  /** A finite number. */
  number(field: string, fallback?: number): number;
  flag(field: string, fallback?: boolean): boolean;
  text(field: string, fallback?: string): string;
  /** One non-negative integer or a list of them; [] when absent. */
  integers(field: string): readonly number[];
  /** A list of finite numbers. */
  numbers(field: string): readonly number[];
  /** A list of strings, or null when it is absent or null. */
  texts(field: string): readonly string[] | null;
  /** The field as it stands, for those that are spelled in several ways. */
  value(field: string): unknown;
  /** A nested object, or null when it is absent or null. */
  section(field: string): ConfigReader | null;
  /** The same config, with values for fields that are absent; a field that is null stays so. */
  withDefaults(defaults: Readonly<Record<string, unknown>>): ConfigReader;
  /** Throws `unsupported-model` unless the field is absent or one of the values that the graph implements. */
  allow(field: string, implemented: readonly unknown[]): void;
  /** Throws `unsupported-model` when there is a field (that is not null) beside these. */
  refuseOthers(implemented: readonly string[]): void;
}

/** Reads fields of a parsed JSON object. @param path shown in errors */
export function createConfigReader(path: string, fields: Readonly<Record<string, unknown>>): ConfigReader {
  const fail = (field: string, expected: string): never => {
    throw new SepError(
      "bad-checkpoint",
      `${path}: "${field}" is ${show(fields[field])}, expected ${expected}. Is the download complete?`,
    );
  };
  const present = (field: string): boolean => fields[field] !== undefined && fields[field] !== null;
  const list = <T>(
    field: string,
    fits: (item: unknown) => boolean,
    expected: string,
  ): readonly T[] | never => {
    const value = fields[field];
    return Array.isArray(value) && value.every(fits) ? (value as readonly T[]) : fail(field, expected);
  };

  const reader: ConfigReader = {
    path,
    has: present,
    fields: () => Object.keys(fields).filter(present),
    size(field, fallback) {
      if (!present(field) && fallback !== undefined) return fallback;
      const value = fields[field];
      return Number.isSafeInteger(value) && (value as number) > 0
        ? (value as number)
        : fail(field, "a positive integer");
    },
    number(field, fallback) {
      if (!present(field) && fallback !== undefined) return fallback;
      const value = fields[field];
      return Number.isFinite(value) ? (value as number) : fail(field, "a number");
    },
    flag(field, fallback) {
      if (!present(field) && fallback !== undefined) return fallback;
      const value = fields[field];
      return typeof value === "boolean" ? value : fail(field, "true or false");
    },
    text(field, fallback) {
      if (!present(field) && fallback !== undefined) return fallback;
      const value = fields[field];
      return typeof value === "string" ? value : fail(field, "a string");
    },
    integers(field) {
      if (!present(field)) return [];
      const value = fields[field];
      const items: readonly unknown[] = Array.isArray(value) ? value : [value];
      const whole = items.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
      return whole ? (items as readonly number[]) : fail(field, "an integer from 0, or a list of them");
    },
    numbers: (field) => list<number>(field, Number.isFinite, "a list of numbers"),
    texts: (field) =>
      present(field) ? list<string>(field, (item) => typeof item === "string", "a list of strings") : null,
    value: (field) => fields[field],
    section(field) {
      if (!present(field)) return null;
      const value = fields[field];
      if (typeof value !== "object" || Array.isArray(value)) return fail(field, "an object");
      return createConfigReader(`${path} ${field}`, value as Record<string, unknown>);
    },
    withDefaults: (defaults) => createConfigReader(path, { ...defaults, ...fields }),
    allow(field, implemented) {
      const value = fields[field];
      if (value === undefined || implemented.includes(value)) return;
      throw new SepError(
        "unsupported-model",
        `${path}: "${field}" is ${show(value)}, and the local engine implements ${implemented.map(show).join(" or ")} only.`,
      );
    },
    refuseOthers(implemented) {
      const other = reader.fields().find((field) => !implemented.includes(field));
      if (other === undefined) return;
      throw new SepError(
        "unsupported-model",
        `${path}: "${other}" is ${show(fields[other])}, but the local engine does not support that field here; it supports ${implemented.join(", ")}.`,
      );
    },
  };
  return reader;
}

const show = (value: unknown): string => JSON.stringify(value) ?? "missing";
