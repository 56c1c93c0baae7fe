import { countAnswerTokens, countTokensOf } from "../engine/generate/answer-end.ts";
import { asRow, countField, oneOfField, orNull, stringField } from "../formats/row-fields.ts";
import type { RunRecord } from "../samples/run-record.ts";
import { locatePosition, type PositionIndices, TRACE_POSITIONS } from "./positions.ts";
import type { TraceRow } from "./trace-plan.ts";
import { createTally, type TraceCheck } from "./trace-verdict.ts";

/** One line of a hidden states' index file. @throws TypeError naming the field that is wrong */
export function parseTraceRow(value: unknown): TraceRow {
  const row = asRow(value);
  return {
    position: oneOfField(row, "position", TRACE_POSITIONS),
    row: countField(row, "row"),
    question_id: stringField(row, "question_id"),
    run_id: orNull(row, "run_id", countField),
    token_index: countField(row, "token_index"),
    token_id: countField(row, "token_id"),
    token: stringField(row, "token"),
  };
}

export interface CheckRowsOptions {
  readonly rowCounts: ReadonlyMap<string, number>;
  readonly indices: PositionIndices;
  readonly endTokenIds: ReadonlySet<number>;
  readonly decode: (tokenIds: readonly number[]) => string;
}

/**
 * Holds the index of a trace against the runs that it is of: which rows there are, their tokens, their places.
 * @param runOf the run of a row; of `before-generation`, any of its question's
 */
export function checkRows(
  rows: readonly TraceRow[],
  runOf: (row: TraceRow) => RunRecord | null,
  { rowCounts, indices, endTokenIds, decode }: CheckRowsOptions,
): readonly TraceCheck[] {
  const index = createTally("index");
  const token = createTally("token");
  const answer = createTally("answer");
  const place = createTally("position");
  const seen = new Map<string, Set<number>>();
  const answerTokens = new Map<RunRecord, number>();
  for (const row of rows) {
    const own = seen.get(row.position) ?? new Set();
    seen.set(row.position, own);
    const run = runOf(row);
    index.count(findIndexFault(row, own, rowCounts.get(row.position) ?? 0, run));
    own.add(row.row);
    if (run === null) continue;
    token.count(findTokenFault(row, run, decode));
    const length = answerTokens.get(run) ?? countAnswerTokens(run, { endTokenIds, decode });
    answerTokens.set(run, length);
    place.count(findPlaceFault(row, run, length, locatePosition(run, row.position, length, indices)));
  }
  for (const [position, count] of rowCounts) {
    const missing = count - (seen.get(position)?.size ?? 0);
    for (let i = 0; i < missing; i++) index.count(`${missing} rows of ${position} have no line in the index`);
  }
  const recorded = [...answerTokens].filter(([run]) => run.answer_token_count !== undefined);
  for (const [run, count] of recorded) answer.count(findAnswerFault(run, count, decode));
  if (recorded.length === 0) answer.skip("the runs do not say how many of their tokens are the answer's");
  return [index.finish(), token.finish(), answer.finish(), place.finish()];
}

export const nameRow = ({ position, row, question_id, run_id }: TraceRow): string =>
  `${position} row ${row} (question ${question_id}${run_id === null ? "" : `, run ${run_id}`})`;

function findIndexFault(
  row: TraceRow,
  seen: ReadonlySet<number>,
  count: number,
  run: RunRecord | null,
): string | null {
  if (run === null) return `${nameRow(row)}: there is no such run`;
  if (row.row >= count) return `${nameRow(row)}: the tensors have ${count} rows`;
  return seen.has(row.row) ? `${nameRow(row)} stands twice` : null;
}

function findTokenFault(
  row: TraceRow,
  { prompt_tokens, tokens }: RunRecord,
  decode: CheckRowsOptions["decode"],
): string | null {
  const id = [...prompt_tokens, ...tokens][row.token_index];
  if (id !== row.token_id)
    return `${nameRow(row)}: token ${row.token_index} of the run is ${id ?? "not there"}, the index says ${row.token_id}`;
  const text = decode([id]);
  if (text === row.token) return null;
  return `${nameRow(row)}: token ${id} reads ${JSON.stringify(text)}, the index says ${JSON.stringify(row.token)}`;
}

/** Holds what a run says of itself against its tokens, whatever ended it. */
function findAnswerFault(
  { question_id, run_id, tokens, output_text }: RunRecord,
  count: number,
  decode: CheckRowsOptions["decode"],
): string | null {
  if (decode(tokens.slice(0, count)) === output_text) return null;
  const held = decode(tokens).startsWith(output_text) ? countTokensOf(tokens, output_text, decode) : null;
  if (count === held) return null;
  return `question ${question_id}, run ${run_id}: ${count} of ${tokens.length} tokens are the answer's by answer_token_count, ${held ?? "none"} by its text`;
}

function findPlaceFault(
  row: TraceRow,
  { prompt_tokens, tokens }: RunRecord,
  answerTokens: number,
  expected: number | null,
): string | null {
  const [begin, end] = [prompt_tokens.length, prompt_tokens.length + tokens.length];
  if (row.token_index === expected) return null;
  const span =
    row.position === "before-generation"
      ? `the prompt ends at ${begin - 1}`
      : `tokens ${begin} to ${end - 1} were generated, ${answerTokens} of them are the answer's`;
  return `${nameRow(row)}: at token ${row.token_index}, expected ${expected ?? "none"}; ${span}`;
}
