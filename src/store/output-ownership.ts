import { rm } from "node:fs/promises";
import { relative } from "node:path";
import { SepError } from "../errors.ts";
import { fingerprintFile } from "./fingerprint.ts";
import { readManifest } from "./manifest.ts";
import { fileExists, readIfThere } from "./read-file.ts";
import { writeAtomic } from "./write-atomic.ts";

/** Where a study is. */
interface StudyFolder {
  readonly root: string;
}

export const MANIFEST_SUFFIX = ".manifest.json";

/** The manifest beside a step's main output. */
export const manifestPathOf = (mainOutput: string): string => `${mainOutput}${MANIFEST_SUFFIX}`;

/**
 * Whether a step's main output is there, or was made here: one that is gone is missing, and must not be left out in
 * silence.
 */
export const wasMade = async (mainOutput: string): Promise<boolean> =>
  (await fileExists(mainOutput)) || (await fileExists(manifestPathOf(mainOutput)));

/** Exists while a step runs, and after a kill: outputs that no manifest describes then belong to the step. */
const runningPathOf = (mainOutput: string): string => `${mainOutput}.running`;

/**
 * How far a running or killed step has come: "making" its outputs, or "made" if it has
 * only its manifest left to write and its files to clean up.
 */
export type RunState = "making" | "made";

/** @returns null if the step is neither running nor was killed */
export async function readRunState(mainOutput: string): Promise<RunState | null> {
  const text = await readIfThere(runningPathOf(mainOutput));
  if (text === null) return null;
  return text === "made" ? "made" : "making";
}

export const writeRunState = (mainOutput: string, state: RunState): Promise<void> =>
  writeAtomic(runningPathOf(mainOutput), state);

export const removeRunState = (mainOutput: string): Promise<void> =>
  rm(runningPathOf(mainOutput), { force: true });

/** A path as manifests have it: relative to the workspace, with forward slashes. */
export const nameWithin = ({ root }: StudyFolder, path: string): string =>
  relative(root, path).replaceAll("\\", "/");

/**
 * Whether a step's main output is the user's own: put there by hand, or edited since the step made it.
 * An output whose step was killed before it could write its manifest is not.
 */
export async function isHandMade(workspace: StudyFolder, mainOutput: string): Promise<boolean> {
  if (!(await fileExists(mainOutput)) || (await readRunState(mainOutput)) !== null) return false;
  const manifest = await readManifest(manifestPathOf(mainOutput));
  return manifest?.outputs[nameWithin(workspace, mainOutput)] !== (await fingerprintFile(mainOutput));
}

/**
 * Files that a step did not write, or that were edited since, are never replaced without `--force`.
 * @param written fingerprint of the file in the step's manifest
 * @param name of the file in messages
 * @throws SepError `output-differs`
 */
export async function refuseForeign(
  path: string,
  written: string | undefined,
  step: string,
  name: string,
): Promise<void> {
  if (!(await fileExists(path)) || written === (await fingerprintFile(path))) return;
  const state =
    written === undefined ? `exists and \`sep ${step}\` did not make it` : "was edited since it was made";
  throw new SepError(
    "output-differs",
    `${name} ${state}. Use --force to make it again, or choose another folder with --out.`,
  );
}
