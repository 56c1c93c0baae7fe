import { relative } from "node:path";
import { SepError } from "../errors.ts";
import { fingerprintFile } from "../store/fingerprint.ts";
import { readManifest } from "../store/manifest.ts";
import { fileExists } from "./file-exists.ts";
import type { Workspace } from "./workspace.ts";

/** The manifest beside a step's main output. */
export const manifestPathOf = (mainOutput: string): string => `${mainOutput}.manifest.json`;

/** There while a step's body runs, and after a kill: outputs without a manifest are then the step's own. */
export const runningPathOf = (mainOutput: string): string => `${mainOutput}.running`;

/** A path as manifests have it: relative to the workspace, with forward slashes. */
export const nameWithin = ({ root }: Workspace, path: string): string =>
  relative(root, path).replaceAll("\\", "/");

/**
 * Whether a step's main output is the user's own: put there by hand, or edited since the step made it.
 * An output whose step was killed before it could write its manifest is not.
 */
export async function isHandMade(workspace: Workspace, mainOutput: string): Promise<boolean> {
  if (!(await fileExists(mainOutput)) || (await fileExists(runningPathOf(mainOutput)))) return false;
  const manifest = await readManifest(manifestPathOf(mainOutput));
  return manifest?.outputs[nameWithin(workspace, mainOutput)] !== (await fingerprintFile(mainOutput));
}

/**
 * Files that a step did not write, or that were edited since, are never replaced unasked.
 * @param written SHA-256 that the step's manifest has for the file
 * @param name how messages call the file
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
    `${name} ${state}. Use --force to make it anew, or --out for another folder.`,
  );
}
