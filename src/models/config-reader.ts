import { SepError } from "../errors.ts";

/** Typed access to a checkpoint's `config.json`; every complaint names the file, the field and its value. */
export interface ConfigReader {
  readonly path: string;
  has(field: string): boolean;
  /** A positive integer. */
  size(field: string, fallback?: number): number;
  /** A finite number. */
  number(field: string, fallback?: number): number;
  flag(field: string, fallback: boolean): boolean;
  text(field: string, fallback?: string): string;
  /** One non-negative integer or a list of them; [] when absent. */
  integers(field: string): readonly number[];
  /** A list of finite numbers. */
  numbers(field: string): readonly number[];
  /** A nested object, or null when it is absent or null. */
  section(field: string): ConfigReader | null;
  /** Throws `unsupported-model` unless the field is absent or one of the values that the graph implements. */
  allow(field: string, implemented: readonly unknown[]): void;
}

/** Reads fields of a parsed JSON object. @param path shown in errors */
export function createConfigReader(path: string, fields: Readonly<Record<string, unknown>>): ConfigReader {
  const fail = (field: string, expected: string): never => {
    throw new SepError(
      "bad-checkpoint",
      `${path}: "${field}" is ${JSON.stringify(fields[field]) ?? "missing"}, expected ${expected}. Is the download complete?`,
    );
  };
  const present = (field: string): boolean => fields[field] !== undefined && fields[field] !== null;

  return {
    path,
    has: present,
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
      if (!present(field)) return fallback;
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
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      const whole = list.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
      return whole ? (list as readonly number[]) : fail(field, "an integer from 0, or a list of them");
    },
    numbers(field) {
      const value = fields[field];
      const finite = Array.isArray(value) && value.every((item) => Number.isFinite(item));
      return finite ? value : fail(field, "a list of numbers");
    },
    section(field) {
      if (!present(field)) return null;
      const value = fields[field];
      if (typeof value !== "object" || Array.isArray(value)) return fail(field, "an object");
      return createConfigReader(`${path} ${field}`, value as Record<string, unknown>);
    },
    allow(field, implemented) {
      const value = fields[field];
      if (value === undefined || implemented.includes(value)) return;
      throw new SepError(
        "unsupported-model",
        `${path}: "${field}" is ${JSON.stringify(value)}, and the local engine implements ${implemented.map((item) => JSON.stringify(item)).join(" or ")} only.`,
      );
    },
  };
}
