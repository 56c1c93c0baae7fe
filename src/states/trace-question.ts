import type { TracedRun } from "../samples/run-record.ts";
import type { HiddenStatesWriter } from "./hidden-states.ts";
import { type SampledStates, stateKey } from "./sampled-states.ts";
import type { ReadStatesOptions, StateReader } from "./state-backend.ts";
import type { TraceRow } from "./state-index.ts";
import type { QuestionTrace } from "./trace-plan.ts";

/** Where the states of a question come from. */
export interface StateSources extends ReadStatesOptions {
  /** States that were read while the answers were sampled. */
  readonly sampled: SampledStates;
  /** Reads the others; null where there are none. */
  readonly reader: StateReader | null;
  readonly signal: AbortSignal;
}

/** What identifies the state of a row. */
export function keyOf({ run_id, token_index }: TraceRow, runs: readonly TracedRun[]): string {
  const run = runs.find((each) => run_id === null || each.run_id === run_id) as TracedRun;
  return stateKey([...run.prompt_tokens, ...run.tokens], token_index);
}

/**
 * Writes all states of a question: those that were read while it was sampled, and what the model reads now.
 * @returns how many rows were read while it was sampled
 */
export async function traceQuestion(
  { runs, rows }: Pick<QuestionTrace, "runs" | "rows">,
  writer: HiddenStatesWriter,
  { sampled, reader, layers, signal }: StateSources,
): Promise<number> {
  signal.throwIfAborted();
  const unread: TraceRow[] = [];
  for (const row of rows) {
    const key = keyOf(row, runs);
    if (sampled.has(key)) await writer.write(row.position, row.row, await sampled.read(key));
    else unread.push(row);
  }
  if (unread.length > 0)
    await readRows({ runs, rows: unread }, writer, reader as StateReader, { layers, signal });
  return rows.length - unread.length;
}

async function readRows(
  { runs, rows }: Pick<QuestionTrace, "runs" | "rows">,
  writer: HiddenStatesWriter,
  reader: StateReader,
  options: ReadStatesOptions,
): Promise<void> {
  const prompt = runs[0]?.prompt_tokens ?? [];
  // positions counted as the published code does may fall on the prompt's last token
  const isPrompt = ({ token_index }: TraceRow): boolean => token_index < prompt.length;
  const rowsOfRun = runs.map((run) => rows.filter((row) => row.run_id === run.run_id && !isPrompt(row)));
  const { beforeGeneration, answers } = await reader.read(
    prompt,
    runs.map(({ tokens }, index) => ({
      tokenIds: tokens,
      indices: (rowsOfRun[index] ?? []).map(({ token_index }) => token_index),
    })),
    options,
  );
  for (const { position, row } of rows.filter(isPrompt)) await writer.write(position, row, beforeGeneration);
  for (const [index, ofRun] of rowsOfRun.entries())
    for (const [i, { position, row }] of ofRun.entries())
      await writer.write(position, row, answers[index]?.[i] as Float32Array);
}
