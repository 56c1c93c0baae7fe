import { SepError } from "../../errors.ts";
import type { GgufValue } from "./gguf-values.ts";

/** Typed access to a GGUF file's metadata; every complaint names the file, the key and its value. */
export interface GgufMetadata {
  readonly path: string;
  readonly keys: readonly string[];
  has(key: string): boolean;
  /** A positive integer. */
  size(key: string): number;
  /** An integer from 0, or null when absent. */
  index(key: string): number | null;
  number(key: string): number;
  flag(key: string, fallback: boolean): boolean;
  text(key: string): string;
  texts(key: string): readonly string[];
  numbers(key: string): Float64Array;
  /** For messages. */
  show(key: string): string;
}

/** @throws SepError `bad-checkpoint`, from every accessor, for a value of another kind */
export function createGgufMetadata(path: string, values: ReadonlyMap<string, GgufValue>): GgufMetadata {
  const show = (key: string): string => {
    const value = values.get(key);
    if (value === undefined) return "missing";
    if (typeof value === "object") return `an array of ${value.length}`;
    return typeof value === "string" ? JSON.stringify(value.slice(0, SHOWN_CHARACTERS)) : String(value);
  };
  const fail = (key: string, expected: string): never => {
    throw new SepError(
      "bad-checkpoint",
      `${path}: "${key}" is ${show(key)}, expected ${expected}. Get the file or make it anew.`,
    );
  };
  const finite = (key: string): number | null => {
    const value = values.get(key);
    const number = typeof value === "bigint" ? Number(value) : value;
    return typeof number === "number" && Number.isFinite(number) ? number : null;
  };
  return {
    path,
    keys: [...values.keys()],
    has: (key) => values.has(key),
    show,
    size(key) {
      const value = finite(key);
      return value !== null && Number.isSafeInteger(value) && value > 0
        ? value
        : fail(key, "a positive integer");
    },
    index(key) {
      if (!values.has(key)) return null;
      const value = finite(key);
      return value !== null && Number.isSafeInteger(value) && value >= 0
        ? value
        : fail(key, "an integer from 0");
    },
    number: (key) => finite(key) ?? fail(key, "a finite number"),
    flag(key, fallback) {
      const value = values.get(key) ?? fallback;
      return typeof value === "boolean" ? value : fail(key, "true or false");
    },
    text(key) {
      const value = values.get(key);
      return typeof value === "string" ? value : fail(key, "a text");
    },
    texts(key) {
      const value = values.get(key);
      return Array.isArray(value) && value.every((item) => typeof item === "string")
        ? value
        : fail(key, "an array of texts");
    },
    numbers(key) {
      const value = values.get(key);
      return value instanceof Float64Array ? value : fail(key, "an array of numbers");
    },
  };
}

const SHOWN_CHARACTERS = 60;
