import { SepError } from "../errors.ts";

/**
 * One line of JSON, without its newline. Floats are written so that they read back as the same 64-bit number.
 * @throws SepError `not-json` for what `JSON.stringify` would silently write as something else: NaN and
 *   infinities (as null), undefined inside an array (as null), typed arrays (as objects)
 */
export function stringifyRow(row: unknown): string {
  const text = JSON.stringify(row, refuseWhatJsonLacks);
  if (text === undefined) throw new SepError("not-json", `A row must be JSON, got ${typeof row}.`);
  return text;
}

function refuseWhatJsonLacks(this: unknown, key: string, value: unknown): unknown {
  const lacking =
    typeof value === "number" && !Number.isFinite(value)
      ? String(value)
      : ArrayBuffer.isView(value)
        ? `a ${value.constructor.name} (use Array.from)`
        : value === undefined && Array.isArray(this)
          ? "undefined in an array"
          : null;
  if (lacking === null) return value;
  throw new SepError(
    "not-json",
    `JSON has no way to write ${lacking}, at "${key}". Write null or leave it out.`,
  );
}
