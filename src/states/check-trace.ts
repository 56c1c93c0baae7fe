import { countTokensOf } from "../engine/generate/answer-end.ts";
import {
  PLACES,
  type PlacedToken,
  type PositionIndices,
  type TokenSpan,
  type TracePosition,
} from "../engine/places.ts";
import { countAnswerTokens } from "../samples/count-answer-tokens.ts";
import type { TracedRun } from "../samples/run-record.ts";
import { fingerprint } from "../store/fingerprint.ts";
import type { TraceRow } from "./state-index.ts";

interface CheckRowsOptions {
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
  runOf: (row: TraceRow) => TracedRun | null,
  { rowCounts, indices, endTokenIds, decode }: CheckRowsOptions,
): readonly TraceCheck[] {
  const index = createTally("index");
  const token = createTally("token");
  const answer = createTally("answer");
  const place = createTally("position");
  const seen = new Map<string, Set<number>>();
  const answerTokens = new Map<TracedRun, number>();
  const placed = new Map<TracedRun, Map<TracePosition, readonly PlacedToken[]>>();
  const marked = groupMarked(rows, runOf);
  const placesOf = (run: TracedRun, position: TracePosition, length: number): readonly PlacedToken[] => {
    const own = placed.get(run) ?? new Map<TracePosition, readonly PlacedToken[]>();
    placed.set(run, own);
    const found =
      own.get(position) ??
      PLACES[position].tokens(
        { ...run, marked: marked.get(run) ?? [] },
        { answerTokens: length, indices, decode },
      );
    own.set(position, found);
    return found;
  };
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
    place.count(findPlaceFault(row, run, length, placesOf(run, row.position, length)));
  }
  for (const [position, count] of rowCounts) {
    const missing = count - (seen.get(position)?.size ?? 0);
    for (let i = 0; i < missing; i++) index.count(`${missing} rows of ${position} have no line in the index`);
  }
  const recorded = [...answerTokens].filter(([run]) => run.answer_token_count !== undefined);
  for (const [run, count] of recorded) answer.count(findAnswerFault(run, count, decode));
  if (recorded.length === 0) answer.skip("the runs do not record how many of their tokens are the answer's");
  return [index.finish(), token.finish(), answer.finish(), place.finish()];
}

export const nameRow = ({ position, row, question_id, run_id }: TraceRow): string =>
  `${position} row ${row} (question ${question_id}${run_id === null ? "" : `, run ${run_id}`})`;

function findIndexFault(
  row: TraceRow,
  seen: ReadonlySet<number>,
  count: number,
  run: TracedRun | null,
): string | null {
  if (run === null) return `${nameRow(row)}: there is no such run`;
  if (row.row >= count) return `${nameRow(row)}: the tensors have ${count} rows`;
  return seen.has(row.row) ? `${nameRow(row)} stands twice` : null;
}

function findTokenFault(
  row: TraceRow,
  { prompt_tokens, tokens }: TracedRun,
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
  { question_id, run_id, tokens, output_text }: TracedRun,
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
  run: TracedRun,
  answerTokens: number,
  placed: readonly PlacedToken[],
): string | null {
  const { prompt_tokens, tokens } = run;
  const [begin, end] = [prompt_tokens.length, prompt_tokens.length + tokens.length];
  const expected = placed.find(({ span }) => span?.join() === row.span?.join())?.index ?? null;
  if (row.token_index === expected) return null;
  const span = PLACES[row.position].isShared
    ? `the prompt ends at ${begin - 1}`
    : `tokens ${begin} to ${end - 1} were generated, ${answerTokens} of them are the answer's`;
  return `${nameRow(row)}: at token ${row.token_index}, expected ${expected ?? "none"}; ${span}`;
}

/** The stretches that a user marked, as the index has them. */
function groupMarked(
  rows: readonly TraceRow[],
  runOf: (row: TraceRow) => TracedRun | null,
): ReadonlyMap<TracedRun, readonly TokenSpan[]> {
  const marked = new Map<TracedRun, TokenSpan[]>();
  for (const row of rows) {
    const run = row.position === "spans" && row.text_span !== undefined ? runOf(row) : null;
    if (run !== null) marked.set(run, [...(marked.get(run) ?? []), row.text_span!]);
  }
  return marked;
}

/** Looks at vectors as they are read, one tensor after the other. */
interface VectorChecker {
  /**
   * @param vectors [rows.length, D]
   * @param prefixOf a text that is the same for the same tokens up to a row
   */
  look(
    rows: readonly TraceRow[],
    layer: number,
    vectors: Float32Array,
    prefixOf: (row: TraceRow) => string,
  ): void;
  finish(): readonly TraceCheck[];
}

export function createVectorChecker(): VectorChecker {
  const finite = createTally("finite");
  const zero = createTally("zero");
  const constant = createTally("constant");
  const duplicate = createTally("duplicate");
  return {
    look(rows, layer, vectors, prefixOf) {
      const width = vectors.length / Math.max(1, rows.length);
      const first = new Map<string, { readonly row: TraceRow; readonly prefix: string }>();
      for (const [i, row] of rows.entries()) {
        const vector = vectors.subarray(i * width, (i + 1) * width);
        lookAtValues(vector, `${nameRow(row)}, layer ${layer}`, { finite, zero, constant });
        // the embeddings of one token are the same wherever it occurs
        if (layer === 0) continue;
        const key = fingerprint(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
        const prefix = prefixOf(row);
        const before = first.get(key);
        if (before === undefined) first.set(key, { row, prefix });
        duplicate.count(
          before === undefined || before.prefix === prefix
            ? null
            : `${nameRow(row)} has the vector of row ${before.row.row} at layer ${layer}`,
        );
      }
    },
    finish: () => [finite.finish(), zero.finish(), constant.finish(), duplicate.finish()],
  };
}

function lookAtValues(
  vector: Float32Array,
  where: string,
  { finite, zero, constant }: Readonly<Record<"finite" | "zero" | "constant", CheckTally>>,
): void {
  const bad = vector.findIndex((value) => !Number.isFinite(value));
  const isLevel = vector.length > 1 && vector.every((value) => value === vector[0]);
  finite.count(bad === -1 ? null : `${where}: ${vector[bad]} at ${bad}`);
  zero.count(isLevel && vector[0] === 0 ? `${where}: all zero` : null);
  constant.count(isLevel && vector[0] !== 0 ? `${where}: ${vector[0]} throughout` : null);
}

/** One question that was asked of every row, or of a sample of them. */
export interface TraceCheck {
  readonly name: TraceCheckName;
  /** What must hold. */
  readonly claim: string;
  readonly checked: number;
  readonly failed: number;
  /** The first failures, for people. */
  readonly examples: readonly string[];
  /** Why nothing could be checked; null if it was. */
  readonly skipped: string | null;
}

export const TRACE_CHECKS = {
  index: "each row of the tensors has one line in the index, for a run that exists",
  token: "each row has the token id and text of its run",
  answer: "each run's recorded answer tokens spell exactly its answer",
  position:
    "each row is at the token of its position: before-generation at the last token of the prompt, others in the answer",
  finite: "no vector has a NaN or an infinity",
  zero: "no vector is all zero",
  constant: "no vector has the same value in all its elements",
  duplicate: "no two rows have the same vector unless the tokens up to them are the same",
  model: "the states come from this model, with this tokenizer and norm state",
  agreement: "a second reading by this backend gives the same numbers",
} as const;
export type TraceCheckName = keyof typeof TRACE_CHECKS;

/** Collects what one check finds. */
interface CheckTally {
  /** @param failure a sentence for people; null if all is well */
  count(failure: string | null): void;
  skip(reason: string): void;
  finish(): TraceCheck;
}

/** More of them would not tell more. */
const MOST_EXAMPLES = 3;

export function createTally(name: TraceCheckName): CheckTally {
  let checked = 0;
  let failed = 0;
  let skipped: string | null = null;
  const examples: string[] = [];
  return {
    count(failure) {
      checked += 1;
      if (failure === null) return;
      failed += 1;
      if (examples.length < MOST_EXAMPLES) examples.push(failure);
    },
    skip(reason) {
      skipped = reason;
    },
    finish: () => ({ name, claim: TRACE_CHECKS[name], checked, failed, examples, skipped }),
  };
}
