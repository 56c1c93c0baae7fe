import { SepError } from "../../errors.ts";
import { readIfThere } from "../../store/read-if-there.ts";

/**
 * A JSON object from a checkpoint's file.
 * @returns null if the file is absent and `optional`
 * @throws SepError `bad-checkpoint`
 */
export async function readJsonFile(
  path: string,
  options: { readonly optional: true },
): Promise<Record<string, unknown> | null>;
export async function readJsonFile(path: string): Promise<Record<string, unknown>>;
export async function readJsonFile(
  path: string,
  { optional = false }: { readonly optional?: boolean } = {},
): Promise<Record<string, unknown> | null> {
  const value = await readJsonValue(path);
  if (value === undefined) {
    if (optional) return null;
    throw new SepError("bad-checkpoint", `${path} does not exist, and a checkpoint needs it.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SepError("bad-checkpoint", `${path} holds no JSON object.`);
  }
  return value as Record<string, unknown>;
}

/**
 * Any JSON from a checkpoint's file.
 * @returns undefined if the file is absent
 * @throws SepError `bad-checkpoint`
 */
export async function readJsonValue(path: string): Promise<unknown> {
  const text = await readIfThere(path);
  if (text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SepError("bad-checkpoint", `${path} is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}
