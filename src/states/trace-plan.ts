import { countAnswerTokens } from "../samples/count-answer-tokens.ts";
import { groupByQuestion } from "../samples/group-by-question.ts";
import type { RunRecord } from "../samples/run-record.ts";
import { locatePosition, type PositionIndices, type TracePosition } from "./positions.ts";

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
}

/** All samples of one question, and where their rows go. */
export interface QuestionTrace {
  readonly questionId: string;
  readonly runs: readonly RunRecord[];
  readonly rows: readonly TraceRow[];
}

/** What a trace will read, known before the model runs. */
export interface TracePlan {
  readonly questions: readonly QuestionTrace[];
  /** Rows of each position's tensors. */
  readonly rowCounts: ReadonlyMap<TracePosition, number>;
  /** Samples that lack a position: no closed reasoning, or an answer of an end token only. */
  readonly missing: ReadonlyMap<TracePosition, number>;
}

/**
 * Plans which token of which run is read into which row. Rows follow the order of the runs file.
 */
export function planTrace(
  runs: readonly RunRecord[],
  {
    positions,
    indices,
    endTokenIds,
    decode,
  }: {
    readonly positions: readonly TracePosition[];
    readonly indices?: PositionIndices;
    readonly endTokenIds: ReadonlySet<number>;
    readonly decode: (tokenIds: readonly number[]) => string;
  },
): TracePlan {
  const rowCounts = new Map<TracePosition, number>(positions.map((position) => [position, 0]));
  const missing = new Map<TracePosition, number>(positions.map((position) => [position, 0]));
  const count = (counts: Map<TracePosition, number>, position: TracePosition): number => {
    const before = counts.get(position) ?? 0;
    counts.set(position, before + 1);
    return before;
  };
  const answerTokens = new Map(runs.map((run) => [run, countAnswerTokens(run, { endTokenIds, decode })]));
  const place = (run: RunRecord, position: TracePosition): TraceRow[] => {
    const index = locatePosition(run, position, answerTokens.get(run) as number, indices);
    if (index === null) {
      count(missing, position);
      return [];
    }
    const promptLength = run.prompt_tokens.length;
    const token_id = (
      index < promptLength ? run.prompt_tokens[index] : run.tokens[index - promptLength]
    ) as number;
    return [
      {
        position,
        row: count(rowCounts, position),
        question_id: run.question_id,
        run_id: position === "before-generation" ? null : run.run_id,
        token_index: index,
        token_id,
        token: decode([token_id]),
      },
    ];
  };
  const questions = [...groupByQuestion(runs)].map(([questionId, ofQuestion]) => ({
    questionId,
    runs: ofQuestion,
    rows: positions.flatMap((position) =>
      (position === "before-generation" ? ofQuestion.slice(0, 1) : ofQuestion).flatMap((run) =>
        place(run, position),
      ),
    ),
  }));
  return { questions, rowCounts, missing };
}
