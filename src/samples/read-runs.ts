import { readSignature } from "../store/fingerprint.ts";
import { type LineProblem, readJsonl } from "../store/jsonl.ts";
import { parseRun, type RunRecord } from "./run-record.ts";

/** A runs file, checked. */
export interface LoadedRuns {
  /** In file order, each (question, run) once. */
  readonly runs: readonly RunRecord[];
  /** Lines that are not run records. */
  readonly problems: readonly LineProblem[];
  /** Lines that repeat the (question, run) of an earlier line, and are left out. */
  readonly duplicates: readonly LineProblem[];
}

/**
 * Reads `math_runs.jsonl` / `ood_runs.jsonl`; lines that cannot be used are reported and the others survive.
 * @throws SepError `missing-input` if there is no such file
 */
export async function readRuns(path: string): Promise<LoadedRuns> {
  const { rows, problems } = await readJsonl(path, {
    parse: (value, line) => ({ run: parseRun(value), line }),
  });
  const firstLines = new Map<string, number>();
  const runs: RunRecord[] = [];
  const duplicates: LineProblem[] = [];
  for (const { run, line } of rows) {
    const key = JSON.stringify([run.question_id, run.run_id]);
    const firstLine = firstLines.get(key);
    if (firstLine === undefined) {
      firstLines.set(key, line);
      runs.push(run);
    } else {
      const reason = `question "${run.question_id}" run ${run.run_id} was already on line ${firstLine}`;
      duplicates.push({ line, reason, excerpt: run.answer_text.slice(0, 80) });
    }
  }
  return { runs, problems, duplicates };
}

/** Reads runs files as `readRuns` does, and a file that it has read before only if it has changed since. */
export function createRunsReader(): (path: string) => Promise<LoadedRuns> {
  const seen = new Map<string, { readonly signature: string; readonly loaded: LoadedRuns }>();
  return async (path) => {
    const signature = await readSignature(path);
    const before = seen.get(path);
    if (before !== undefined && before.signature === signature) return before.loaded;
    const loaded = await readRuns(path);
    if (signature !== null) seen.set(path, { signature, loaded });
    return loaded;
  };
}
