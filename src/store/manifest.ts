import { SepError } from "../errors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { readIfThere } from "./read-file.ts";
import { writeAtomic } from "./write-atomic.ts";

/** Where an artifact came from: written beside the outputs of every step, after they are complete. */
export interface Manifest {
  readonly tool: { readonly name: string; readonly version: string };
  readonly step: string;
  /** Everything besides the input files that determines the outputs. */
  readonly settings: { readonly [key: string]: Json };
  /** Path (relative to the workspace) -> fingerprint of each input as it was read. */
  readonly inputs: { readonly [path: string]: string };
  /** Path (relative to the workspace) -> fingerprint of each output as it was written. */
  readonly outputs: { readonly [path: string]: string };
  /** What went in, what came out, what was dropped. */
  readonly counts: { readonly [name: string]: number };
  readonly warnings: readonly ManifestWarning[];
  /** Why settings that were left to this program are what they are; of no consequence by itself, and so never compared. */
  readonly grounds?: { readonly [setting: string]: Json };
}

/** A degenerate or notable condition and what it does to the result. */
export interface ManifestWarning {
  readonly code: string;
  readonly message: string;
}

/** Each warning once, at its first occurrence. */
export const withoutRepeats = (warnings: readonly ManifestWarning[]): ManifestWarning[] => [
  ...new Map(warnings.map((warning) => [`${warning.code} ${warning.message}`, warning])).values(),
];

/**
 * @returns null if there is no manifest yet
 * @throws SepError `bad-artifact` if it is not JSON, or lacks the fields that decide whether outputs are current
 */
export async function readManifest(path: string): Promise<Manifest | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  const refuse = (what: string, cause?: unknown): never => {
    throw new SepError("bad-artifact", `${path} ${what}. Delete it to run its step again.`, { cause });
  };
  let manifest: Json;
  try {
    manifest = JSON.parse(text) as Json;
  } catch (cause) {
    return refuse("is not valid JSON", cause);
  }
  if (!isGroup(manifest)) return refuse("is not a manifest: it does not contain an object");
  for (const key of ["tool", "settings", "inputs", "outputs"] as const)
    if (!isGroup(manifest[key])) return refuse(`is not a manifest of this version: it has no ${key}`);
  return manifest as unknown as Manifest;
}

export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  await writeAtomic(path, `${stableStringify(manifest as unknown as Json, 2)}\n`);
}

/**
 * Why outputs described by `manifest` no longer follow from what a step would now read and do.
 * @returns one line per reason; empty if they still do
 */
export function staleReasons(manifest: Manifest, now: Pick<Manifest, "settings" | "inputs">): string[] {
  return [
    ...changes(manifest.settings, now.settings).map(
      ({ key, before, after }) => `${key} was ${show(before)} and is now ${show(after)}`,
    ),
    ...changes(manifest.inputs, now.inputs).map(({ key }) => `${key} has changed`),
  ];
}

interface Change {
  /** With dots between the names of groups of settings: "model.device". */
  readonly key: string;
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

type Settings = Readonly<Record<string, Json>>;

function changes(before: Settings, after: Settings, prefix = ""): Change[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((name) => {
    const [old, now] = [before[name], after[name]];
    const key = `${prefix}${name}`;
    if (isGroup(old) && isGroup(now)) return changes(old, now, `${key}.`);
    return show(old) === show(now) ? [] : [{ key, before: old, after: now }];
  });
}

const isGroup = (value: Json | undefined): value is Settings =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const show = (value: Json | undefined): string => (value === undefined ? "not set" : stableStringify(value));
