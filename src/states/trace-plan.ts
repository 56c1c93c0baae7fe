import { rememberDecoded } from "../engine/answer-text.ts";
import {
  isUnitPosition,
  PLACES,
  type PlacedToken,
  type PositionIndices,
  type TracePosition,
} from "../engine/places.ts";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import { countAnswerTokens } from "../samples/count-answer-tokens.ts";
import type { MarkedSpan } from "../samples/marked-spans.ts";
import type { TracedRun } from "../samples/run-record.ts";
import { groupByQuestion } from "../samples/samples.ts";
import type { TextSpan } from "../text/find-sentences.ts";
import type { TraceRow } from "./state-index.ts";

/** All samples of one question, and where their rows go. */
export interface QuestionTrace {
  readonly questionId: string;
  readonly runs: readonly TracedRun[];
  /** Made when they are asked for: those of every token of a large study take as much memory as all else. */
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
  runs: readonly TracedRun[],
  {
    positions,
    indices = "exact",
    isObserved = false,
    marked = () => [],
    endTokenIds,
    tokenizer,
  }: {
    readonly positions: readonly TracePosition[];
    readonly indices?: PositionIndices;
    /** Another model than the one that wrote the answers reads them, so that each row names the writer. */
    readonly isObserved?: boolean;
    /** The stretches of a run's text that the user has marked. */
    readonly marked?: (run: TracedRun) => readonly MarkedSpan[];
    readonly endTokenIds: ReadonlySet<number>;
    readonly tokenizer: Pick<TextTokenizer, "decode" | "decodeEach">;
  },
): TracePlan {
  const rowCounts = new Map<TracePosition, number>(positions.map((position) => [position, 0]));
  const missing = new Map<TracePosition, number>(positions.map((position) => [position, 0]));
  const decode = decoderFor(tokenizer, positions, runs);
  const answerTokens = new Map(runs.map((run) => [run, countAnswerTokens(run, { endTokenIds, decode })]));
  const marksOf = (run: TracedRun, position: TracePosition): readonly MarkedSpan[] =>
    position === "spans" ? marked(run) : [];
  const place = (run: TracedRun, position: TracePosition): readonly PlacedToken[] =>
    PLACES[position].tokens(
      { ...run, marked: marksOf(run, position).map(({ span }) => span) },
      { answerTokens: answerTokens.get(run) as number, indices, decode },
    );
  const makeRows = (run: TracedRun, position: TracePosition, first: number): TraceRow[] => {
    const { isShared } = PLACES[position];
    const whole = [...run.prompt_tokens, ...run.tokens];
    return place(run, position).map(({ index, span, textSpan, text }, i) => ({
      position,
      row: first + i,
      question_id: run.question_id,
      run_id: isShared ? null : run.run_id,
      token_index: index,
      token_id: whole[index] as number,
      token: decode([whole[index] as number]),
      ...(span === null || textSpan === null ? {} : { span, text_span: textSpan }),
      // of a single token it is the token
      ...(text === null || position === "every-token" ? {} : { text }),
      ...labelOf(marksOf(run, position), textSpan),
      ...(isObserved && !isShared ? { writer: run.model } : {}),
    }));
  };
  const questions = [...groupByQuestion(runs)].map(([questionId, ofQuestion]) => {
    const stretches = positions.flatMap((position) =>
      (PLACES[position].isShared ? ofQuestion.slice(0, 1) : ofQuestion).map((run) => {
        const first = rowCounts.get(position) as number;
        const { length } = place(run, position);
        rowCounts.set(position, first + length);
        if (length === 0) missing.set(position, (missing.get(position) as number) + 1);
        return { run, position, first };
      }),
    );
    return {
      questionId,
      runs: ofQuestion,
      get rows() {
        return stretches.flatMap(({ run, position, first }) => makeRows(run, position, first));
      },
    };
  });
  return { questions, rowCounts, missing };
}

/** Decodes for rows at some positions of runs; what those with many tokens per answer need is asked for at once. */
export const decoderFor = (
  tokenizer: Pick<TextTokenizer, "decode" | "decodeEach">,
  positions: readonly TracePosition[],
  runs: readonly TracedRun[],
): TextTokenizer["decode"] =>
  rememberDecoded(tokenizer, positions.some(isUnitPosition) ? runs.map(({ tokens }) => tokens) : []);

/** Every row, question by question. */
export function* rowsOf({ questions }: TracePlan): Generator<TraceRow> {
  for (const { rows } of questions) yield* rows;
}

function labelOf(marks: readonly MarkedSpan[], textSpan: TextSpan | null): Pick<TraceRow, "label"> {
  const mark = marks.find(({ span }) => span.join() === textSpan?.join());
  return mark === undefined ? {} : { label: mark.label };
}
