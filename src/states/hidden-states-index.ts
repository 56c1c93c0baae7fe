import { SepError } from "../errors.ts";
import { describeProblems, readJsonl } from "../store/jsonl.ts";
import { TRACE_POSITIONS, type TracePosition } from "./positions.ts";

/** Which row of the hidden-state tensors belongs to which sample. */
export interface StateRowIndex {
  /**
   * @returns the row at a position, -1 if the sample has none there; before generation all samples of a question
   * share one
   */
  rowOf(position: TracePosition, questionId: string, runId: number): number;
}

/** One line of `*_hidden_states.index.jsonl`, as far as it is needed here. */
interface IndexLine {
  readonly position: TracePosition;
  readonly row: number;
  readonly question_id: string;
  /** null: the row is every sample's of its question. */
  readonly run_id: number | null;
}

/**
 * Reads the index beside a hidden-state file.
 * @throws SepError `missing-input`, or `bad-artefact` naming the lines that cannot be used
 */
export async function readStateRowIndex(path: string): Promise<StateRowIndex> {
  const { rows, problems } = await readJsonl(path, { parse: parseIndexLine });
  if (problems.length > 0) {
    throw new SepError(
      "bad-artefact",
      `${path}: ${describeProblems(problems)}. Make it anew with \`sep trace --force\`.`,
    );
  }
  const found = new Map(rows.map((line) => [keyOf(line.position, line.question_id, line.run_id), line.row]));
  return {
    rowOf: (position, questionId, runId) =>
      found.get(keyOf(position, questionId, runId)) ?? found.get(keyOf(position, questionId, null)) ?? -1,
  };
}

const keyOf = (position: TracePosition, questionId: string, runId: number | null): string =>
  JSON.stringify([position, questionId, runId]);

function parseIndexLine(value: unknown): IndexLine {
  const line = (value ?? {}) as Readonly<Record<string, unknown>>;
  const { position, row, question_id, run_id } = line;
  const known = TRACE_POSITIONS.find((name) => name === position);
  if (known === undefined) throw new TypeError(`position is ${JSON.stringify(position)}`);
  if (!Number.isInteger(row)) throw new TypeError(`row is ${JSON.stringify(row)}, not an integer`);
  if (typeof question_id !== "string") throw new TypeError("question_id is not a string");
  if (run_id !== null && !Number.isInteger(run_id))
    throw new TypeError(`run_id is ${JSON.stringify(run_id)}`);
  return { position: known, row: row as number, question_id, run_id: run_id as number | null };
}
