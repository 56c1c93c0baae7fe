import { SepError } from "../errors.ts";
import { readModelFile } from "../store/read-file.ts";

/** Configs are kilobytes; those with names for 20,000 labels have a megabyte. */
const MOST_CONFIG_BYTES = 4 << 20;

/**
 * A JSON object from a checkpoint's file.
 * @param mostBytes the most that an honest file of its kind has
 * @returns null if the file is absent and `optional`
 * @throws SepError `bad-checkpoint`, `hostile-model` if it is larger
 */
export async function readJsonFile(
  path: string,
  options: { readonly optional: true; readonly mostBytes?: number },
): Promise<Record<string, unknown> | null>;
export async function readJsonFile(path: string): Promise<Record<string, unknown>>;
export async function readJsonFile(
  path: string,
  { optional = false, mostBytes }: { readonly optional?: boolean; readonly mostBytes?: number } = {},
): Promise<Record<string, unknown> | null> {
  const value = await readJsonValue(path, mostBytes);
  if (value === undefined) {
    if (optional) return null;
    throw new SepError("bad-checkpoint", `${path} does not exist, which a checkpoint needs.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SepError("bad-checkpoint", `${path} is not a JSON object.`);
  }
  return value as Record<string, unknown>;
}

/**
 * Any JSON from a checkpoint's file.
 * @returns undefined if the file is absent
 * @throws SepError `bad-checkpoint`, `hostile-model`
 */
export async function readJsonValue(path: string, mostBytes: number = MOST_CONFIG_BYTES): Promise<unknown> {
  const bytes = await readModelFile(path, mostBytes);
  if (bytes === null) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new SepError("bad-checkpoint", `${path} is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}
