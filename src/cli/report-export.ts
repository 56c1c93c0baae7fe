import { SepError } from "../errors.ts";
import { fileExists } from "../store/read-file.ts";
import type { CliContext } from "./command.ts";
import { EXIT } from "./exit.ts";

/** A file that was written, and what is in it. */
export interface ExportedFile {
  readonly path: string;
  readonly [fact: string]: string | number;
}

/**
 * Writes files unless they are there, and says what was written.
 * @returns the exit code
 * @throws SepError `output-differs` for a file that is there
 */
export async function reportExport(
  paths: readonly string[],
  { force, json }: { readonly force: boolean; readonly json: boolean },
  { stdout }: CliContext,
  write: () => Promise<readonly ExportedFile[]>,
): Promise<number> {
  for (const path of paths) {
    if (force || !(await fileExists(path))) continue;
    throw new SepError(
      "output-differs",
      `${path} exists. Use --force to replace it, or --to for another place.`,
    );
  }
  const files = await write();
  if (json) stdout.write(`${JSON.stringify({ kind: "export", files })}\n`);
  for (const { path, ...facts } of json ? [] : files) {
    const list = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
    stdout.write(`wrote ${path}${list.length === 0 ? "" : `: ${list.join(", ")}`}\n`);
  }
  return EXIT.ok;
}
