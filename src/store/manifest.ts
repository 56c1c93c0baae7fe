import { SepError } from "../errors.ts";
import { type Json, stableStringify } from "./json.ts";
import { readIfThere } from "./read-if-there.ts";
import { writeAtomic } from "./write-atomic.ts";

/** Where an artefact came from: written beside the outputs of every step, after they are complete. */
export interface Manifest {
  readonly tool: { readonly name: string; readonly version: string };
  readonly step: string;
  /** Everything beside the input files that decides the outputs' content. */
  readonly settings: { readonly [key: string]: Json };
  /** Path (relative to the workspace) -> SHA-256 of each input as it was read. */
  readonly inputs: { readonly [path: string]: string };
  /** Path (relative to the workspace) -> SHA-256 of each output as it was written. */
  readonly outputs: { readonly [path: string]: string };
  /** What went in, what came out, what was dropped. */
  readonly counts: { readonly [name: string]: number };
  readonly warnings: readonly ManifestWarning[];
}

/** A degenerate or notable condition and what it does to the result. */
export interface ManifestWarning {
  readonly code: string;
  readonly message: string;
}

/** @returns null if there is no manifest yet */
export async function readManifest(path: string): Promise<Manifest | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  try {
    return JSON.parse(text) as Manifest;
  } catch (cause) {
    throw new SepError("bad-artefact", `${path} is not valid JSON. Delete it to run its step anew.`, {
      cause,
    });
  }
}

export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  await writeAtomic(path, `${stableStringify(manifest as unknown as Json, 2)}\n`);
}

/**
 * Why outputs described by `manifest` no longer follow from what a step would now read and do.
 * @returns one line a reason; empty means that they still do
 */
export function staleReasons(manifest: Manifest, now: Pick<Manifest, "settings" | "inputs">): string[] {
  return [
    ...changedKeys(manifest.settings, now.settings).map(
      (key) => `${key} was ${show(manifest.settings[key])} and is now ${show(now.settings[key])}`,
    ),
    ...changedKeys(manifest.inputs, now.inputs).map((path) => `${path} has changed`),
  ];
}

function changedKeys(
  before: Readonly<Record<string, Json>>,
  after: Readonly<Record<string, Json>>,
): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => show(before[key]) !== show(after[key])).sort();
}

const show = (value: Json | undefined): string => (value === undefined ? "not set" : stableStringify(value));
