import { stackStates } from "../engine/layer-states.ts";
import type { TracedRun } from "../samples/run-record.ts";

import { type SampledStates, stateKey } from "./sampled-states.ts";
import type { ReadStatesOptions, StateReader } from "./state-backend.ts";
import type { TraceRow } from "./state-index.ts";
import type { QuestionTrace } from "./trace-plan.ts";
import type { HiddenStatesWriter, StateRows } from "./write-hidden-states.ts";

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
  const read: TraceRow[] = [];
  const residuals: Float32Array[] = [];
  for (const row of rows) {
    const key = sampled.isEmpty ? null : keyOf(row, runs);
    if (key === null || !sampled.has(key)) unread.push(row);
    else {
      read.push(row);
      residuals.push(await sampled.read(key));
    }
  }
  const states = stackStates(residuals, layers.length);
  await writer.write(joinRows(read, (_, token) => ({ states, token })));
  if (unread.length > 0)
    await writeUnread({ runs, rows: unread }, writer, reader as StateReader, { layers, signal });
  return rows.length - unread.length;
}

/** Writes what the model reads now: each token once, however many positions it is at. */
async function writeUnread(
  { runs, rows }: Pick<QuestionTrace, "runs" | "rows">,
  writer: HiddenStatesWriter,
  reader: StateReader,
  options: ReadStatesOptions,
): Promise<void> {
  const prompt = runs[0]?.prompt_tokens ?? [];
  // positions counted as the published code does may fall on the prompt's last token
  const isPrompt = ({ token_index }: TraceRow): boolean => token_index < prompt.length;
  const indicesOf = new Map(runs.map(({ run_id }) => [run_id, new Set<number>()]));
  for (const row of rows) if (!isPrompt(row)) indicesOf.get(row.run_id as number)?.add(row.token_index);
  const asked = runs.map(({ tokens, run_id }) => ({
    tokenIds: tokens,
    indices: [...(indicesOf.get(run_id) as Set<number>)],
  }));
  const sharedTokens = runs[0]?.shared_prompt_tokens;
  const traced = await reader.read(prompt, asked, { ...options, sharedTokens });
  const { beforeGeneration, answers } = traced;
  const before = { states: stackStates([beforeGeneration], options.layers.length), token: 0 };
  const answerOf = new Map(
    runs.map(({ run_id }, i) => [
      run_id,
      {
        states: answers[i] ?? [],
        tokenOf: new Map(asked[i]?.indices.map((index, token) => [index, token])),
      },
    ]),
  );
  const stateOf = (row: TraceRow): TokenState => {
    if (isPrompt(row)) return before;
    const { states, tokenOf } = answerOf.get(row.run_id as number)!;
    return { states, token: tokenOf.get(row.token_index)! };
  };
  await writer.write(joinRows(rows, stateOf));
  traced[Symbol.dispose]?.();
}

type TokenState = Pick<StateRows, "states" | "token">;

/** Rows as the writer takes them: those of tokens that follow each other as one. */
function joinRows(
  rows: readonly TraceRow[],
  stateOf: (row: TraceRow, index: number) => TokenState,
): StateRows[] {
  const joined: StateRows[] = [];
  for (const [i, each] of rows.entries()) {
    const { position, row } = each;
    const { states, token } = stateOf(each, i);
    const last = joined.at(-1);
    const follows =
      last?.position === position &&
      last.row + last.count === row &&
      last.states === states &&
      last.token + last.count === token;
    if (follows) joined[joined.length - 1] = { ...last, count: last.count + 1 };
    else joined.push({ position, row, count: 1, states, token });
  }
  return joined;
}
