import {
  type RowKey,
  rowKey,
  type TokenSpan,
  TRACE_POSITIONS,
  type TracePosition,
} from "../engine/places.ts";
import { SepError } from "../errors.ts";
import {
  asRow,
  countField,
  numbersField,
  oneOfField,
  orNull,
  type Row,
  stringField,
} from "../formats/row-fields.ts";
import { describeProblems, readJsonl, writeJsonl } from "../store/jsonl.ts";

/** One row of a hidden-states tensor: whose it is, and which token it was read at. One line of the index file. */
export interface TraceRow {
  readonly position: TracePosition;
  /** Row of the tensors `{position}.layer.{l}`. */
  readonly row: number;
  readonly question_id: string;
  /** null for `before-generation`: all samples of a question share it. */
  readonly run_id: number | null;
  /** Index in `[...prompt_tokens, ...tokens]`. */
  readonly token_index: number;
  readonly token_id: number;
  /** The token as text, so that a wrong position is visible to the eye. */
  readonly token: string;
  /** Of a place with many tokens per answer: the generated tokens that the row stands for. */
  readonly span?: TokenSpan;
  /** The same in the answer's text, in UTF-16 units; files of earlier versions do not have it. */
  readonly text_span?: TokenSpan;
  /** That stretch of the text, unless it is one token. */
  readonly text?: string;
  /** Of a stretch that a user has marked: 1 is the uncertain side. */
  readonly label?: 0 | 1;
  /** The model that wrote the answer, where another one has read it; not of the prompt's rows. */
  readonly writer?: string;
}

/** What a row of a place with many tokens per answer stands for. */
export interface StateUnit {
  readonly span: TokenSpan;
  /** null in files of earlier versions. */
  readonly textSpan: TokenSpan | null;
  /** null where it is one token. */
  readonly text: string | null;
  /** Of a stretch that a user has marked. */
  readonly label: 0 | 1 | null;
}

/** Which row of the hidden-state tensors belongs to which sample. */
export interface StateRowIndex {
  /**
   * @returns the row of a sample at a place, -1 if it has none there: its row of the span, else its one row, else the one
   *   that all samples of the question share
   */
  rowOf(place: TracePosition, questionId: string, runId: number, span?: TokenSpan | null): number;
  /** @returns the units of a sample at a place with many tokens; [null] where it has one token, [] where it has none */
  unitsOf(place: TracePosition, questionId: string, runId: number): readonly (StateUnit | null)[];
}

/** One line of `*_hidden_states.index.jsonl`, as far as every tool writes it. */
type StateIndexLine = Pick<
  TraceRow,
  "position" | "row" | "question_id" | "run_id" | "span" | "text_span" | "text" | "label"
>;

/**
 * Reads the index beside a hidden-state file.
 * @throws SepError `missing-input`, or `bad-artifact` naming the lines that cannot be used
 */
export async function readStateRowIndex(path: string): Promise<StateRowIndex> {
  const { rows, problems } = await readJsonl(path, { parse: parseIndexLine });
  if (problems.length > 0) {
    throw new SepError(
      "bad-artifact",
      `${path}: ${describeProblems(problems)}. Make it again with \`sep trace --force\`.`,
    );
  }
  const found = new Map(rows.map((line) => [rowKey(keyOf(line)), line.row]));
  const units = new Map<string, StateUnit[]>();
  for (const { span, text_span: textSpan = null, text = null, label = null, ...line } of rows) {
    if (span === undefined) continue;
    const key = rowKey({ ...keyOf(line), span: null });
    const own = units.get(key) ?? [];
    if (own.push({ span, textSpan, text, label }) === 1) units.set(key, own);
  }
  const rowOf: StateRowIndex["rowOf"] = (place, questionId, runId, span = null) => {
    const key = { place, questionId, runId, span };
    return (
      (span === null ? undefined : found.get(rowKey(key))) ??
      found.get(rowKey({ ...key, span: null })) ??
      found.get(rowKey({ ...key, runId: null, span: null })) ??
      -1
    );
  };
  return {
    rowOf,
    unitsOf(place, questionId, runId) {
      const many = units.get(rowKey({ place, questionId, runId, span: null }));
      if (many !== undefined) return many;
      return rowOf(place, questionId, runId) === -1 ? [] : [null];
    },
  };
}

/** Writes the index beside a hidden-state file. */
export const writeStateIndex = (path: string, lines: Iterable<StateIndexLine>): Promise<void> =>
  writeJsonl(path, lines);

const keyOf = ({ position, question_id, run_id, span }: StateIndexLine): RowKey => ({
  place: position,
  questionId: question_id,
  runId: run_id,
  span: span ?? null,
});

function parseIndexLine(value: unknown): StateIndexLine {
  const line = (value ?? {}) as Row;
  const { position, row, question_id, run_id } = line;
  const known = TRACE_POSITIONS.find((name) => name === position);
  if (known === undefined) throw new TypeError(`position is ${JSON.stringify(position)}`);
  if (!Number.isInteger(row)) throw new TypeError(`row is ${JSON.stringify(row)}, not an integer`);
  if (typeof question_id !== "string") throw new TypeError("question_id is not a string");
  if (run_id !== null && !Number.isInteger(run_id))
    throw new TypeError(`run_id is ${JSON.stringify(run_id)}`);
  return {
    position: known,
    row: row as number,
    question_id,
    run_id: run_id as number | null,
    ...parseSpan(line, "span"),
    ...parseSpan(line, "text_span"),
    ...parseText(line),
    ...parseLabel(line),
  };
}

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
    ...parseSpan(row, "span"),
    ...parseSpan(row, "text_span"),
    ...parseText(row),
    ...parseLabel(row),
    ...(row.writer === undefined ? {} : { writer: stringField(row, "writer") }),
  };
}

function parseSpan<Name extends "span" | "text_span">(
  row: Row,
  name: Name,
): { readonly [Key in Name]?: TokenSpan } {
  if (row[name] === undefined) return {};
  const span = numbersField(row, name);
  if (span.length !== 2) throw new TypeError(`"${name}" has ${span.length} numbers, expected [start, end]`);
  return { [name]: [span[0]!, span[1]!] } as unknown as { readonly [Key in Name]: TokenSpan };
}

const parseText = (row: Row): Pick<TraceRow, "text"> =>
  row.text === undefined ? {} : { text: stringField(row, "text") };

function parseLabel(row: Row): Pick<TraceRow, "label"> {
  if (row.label === undefined) return {};
  if (row.label === 0 || row.label === 1) return { label: row.label };
  throw new TypeError(`"label" is ${JSON.stringify(row.label)}, expected 0 or 1`);
}
