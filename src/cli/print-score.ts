import { ROWS_PER_PASS } from "../checkpoint/load-model.ts";
import { SepError } from "../errors.ts";
import { nameOfPart } from "../evaluation/row-words.ts";
import { asRow, stringField } from "../formats/row-fields.ts";
import { mapConcurrently } from "../net/map-concurrently.ts";
import type { QuestionScorer, ScoredQuestion } from "../serve/score-question.ts";
import { formatNumber, formatOfHundred, formatPEquation, formatSignificant } from "../text/format-numbers.ts";
import { type Paint, wrap } from "./terminal.ts";

/** What a risk means, of as many cases as can be pictured. */
const MEANINGS = {
  incorrect: (count) => `of 100 such answers ${count} are wrong`,
  "final-incorrect": (count) => `of 100 such answers ${count} are wrong`,
  "high-semantic-entropy": (count) => `of 100 such questions ${count} get answers that disagree in meaning`,
  "step-incorrect": (count, part) => `of 100 such ${part}s ${count} are wrong`,
  spans: (count, part) => `of 100 such ${part}s ${count} are wrong`,
  inconsistent: (count, part) => `of 100 such ${part}s ${count} are not entailed by other samples`,
  clusters: (count, part) => `of 100 such ${part}s ${count} leave open what the answer will mean`,
  "not-settled": (count, part) => `of 100 such ${part}s ${count} come before the answer is settled`,
  "forced-incorrect": (count, part) => `of 100 such ${part}s ${count} would end in a wrong answer`,
} as const satisfies Record<ScoredQuestion["risk_of"], (count: string, part: string) => string>;

/** One scored question for people. */
export function describeScore(scored: ScoredQuestion, paint: Paint, columns: number): string {
  const {
    answer,
    risk,
    score,
    risk_of,
    decision,
    abstain_reason,
    guarantee,
    read_at,
    familiarity,
    warnings,
  } = scored;
  const part = nameOfPart(read_at?.position);
  const colour = decision === "abstain" ? "yellow" : "green";
  const where = read_at === null ? "" : `, read at ${read_at.position} ${JSON.stringify(read_at.token)}`;
  const rows: readonly (readonly [string, string])[] = [
    ["Answer", answer === null ? "not generated" : answer || "(empty)"],
    [
      "Risk",
      risk !== null
        ? `${risk < 0.01 ? formatSignificant(risk, 2) : formatNumber(risk, 2)}: ${MEANINGS[risk_of](formatOfHundred(risk), part)} (score ${formatNumber(score)}${where})`
        : score !== null
          ? `not calibrated; score ${formatNumber(score)}${where}, higher for ${HIGHER_FOR[risk_of](part)}`
          : "unknown",
    ],
    ...(familiarity === null ? [] : [["Question", describeFamiliarity(familiarity, paint)] as const]),
    [
      "Decision",
      decision === null
        ? "none"
        : paint(colour, `${decision}${abstain_reason === "unfamiliar" ? " (unfamiliar)" : ""}`),
    ],
  ];
  const byToken = scored.tokens?.map(
    ({ token, risk: own, score: raw }) =>
      `${" ".repeat(NAME_WIDTH)}${formatNumber(own ?? raw).padStart(RISK_WIDTH)}  ${JSON.stringify(token)}`,
  );
  return [
    ...rows.map(([name, value]) => {
      // an answer keeps its lines
      const lines = name === "Answer" ? [value] : wrap(value, columns - NAME_WIDTH);
      return paint("bold", name.padEnd(NAME_WIDTH)) + lines.join(`\n${" ".repeat(NAME_WIDTH)}`);
    }),
    ...[guarantee, ...warnings].flatMap((text) =>
      wrap(text, columns - NAME_WIDTH).map((line) => " ".repeat(NAME_WIDTH) + paint("gray", line)),
    ),
    ...(byToken === undefined ? [] : [paint("bold", "Tokens"), ...byToken]),
  ].join("\n");
}

const HIGHER_FOR = {
  incorrect: () => "wrong answers",
  "final-incorrect": () => "wrong answers",
  "high-semantic-entropy": () => "answers that disagree in meaning",
  "step-incorrect": (part) => `wrong ${part}s`,
  spans: (part) => `wrong ${part}s`,
  inconsistent: (part) => `${part}s that other samples do not entail`,
  clusters: (part) => `${part}s that leave open what the answer will mean`,
  "not-settled": (part) => `${part}s before the answer is settled`,
  "forced-incorrect": (part) => `${part}s that would end in a wrong answer`,
} as const satisfies Record<ScoredQuestion["risk_of"], (part: string) => string>;

function describeFamiliarity(
  { distance, p_value, is_unfamiliar }: NonNullable<ScoredQuestion["familiarity"]>,
  paint: Paint,
): string {
  const word = is_unfamiliar ? paint("yellow", "unfamiliar") : "familiar";
  return `${word} (${formatPEquation(p_value, null)}, distance ${formatNumber(distance, 1)} from the training states)`;
}

const NAME_WIDTH = 10;
const RISK_WIDTH = 6;

/** What a line of a stream is answered with; `id` is as it was given, null if there was none. */
export type ScoredLine =
  | ({ readonly id: string | number | null } & ScoredQuestion)
  | {
      readonly id: string | number | null;
      /** From 1. */
      readonly line: number;
      readonly error: { readonly code: string; readonly message: string };
    };

/**
 * Scores a stream of `{"id"?, "question", "answer"?}` lines, one JSON value each, in their order and as they come. Lines that
 * are there already are answered in the same passes. A line that cannot be used, or whose question cannot be answered, is answered with the error; blank lines with nothing.
 * @throws any error that is not a SepError, and SepError `interrupted`
 */
export async function* scoreLines(
  scorer: QuestionScorer,
  stream: AsyncIterable<Uint8Array>,
  {
    tokens = false,
    signal,
    redact,
  }: {
    readonly tokens?: boolean;
    readonly signal: AbortSignal;
    readonly redact: (message: string) => string;
  },
): AsyncGenerator<ScoredLine> {
  const score = async ({ line, text }: NumberedLine, abort: AbortSignal): Promise<ScoredLine> => {
    let id: string | number | null = null;
    try {
      const row = parseRow(text);
      if (typeof row.id === "string" || typeof row.id === "number") id = row.id;
      const { question, answer } = readQuestion(row);
      return {
        id,
        ...(await scorer.score(question, { id: String(id ?? question), answer, tokens, signal: abort })),
      };
    } catch (error) {
      if (abort.aborted || !(error instanceof SepError)) throw error;
      return { id, line, error: { code: error.code, message: redact(error.message) } };
    }
  };
  yield* mapConcurrently(numberLines(stream), score, {
    concurrency: QUESTIONS_AT_A_TIME,
    isOrdered: true,
    signal,
  });
}

/** They share the passes that generate; more would wait for each other. */
const QUESTIONS_AT_A_TIME = ROWS_PER_PASS;

interface NumberedLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** The lines that are not blank. */
async function* numberLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<NumberedLine> {
  let line = 0;
  for await (const text of readAnswerLines(stream)) {
    line += 1;
    if (text.trim() !== "") yield { line, text };
  }
}

const parseRow = (text: string): ReturnType<typeof asRow> => asBadLine(() => asRow(JSON.parse(text)));

const readQuestion = (
  row: ReturnType<typeof asRow>,
): { readonly question: string; readonly answer: string | undefined } =>
  asBadLine(() => {
    const unknown = Object.keys(row).filter((key) => !KEYS.includes(key));
    if (unknown.length > 0)
      throw new TypeError(
        `unknown key ${unknown.map((key) => JSON.stringify(key)).join(", ")}, expected ${KEYS.join(", ")}`,
      );
    if (!["string", "number", "undefined"].includes(typeof row.id) && row.id !== null)
      throw new TypeError('"id" is neither text nor a number');
    const question = stringField(row, "question");
    if (question.trim() === "") throw new TypeError('"question" is empty');
    return { question, answer: row.answer === undefined ? undefined : stringField(row, "answer") };
  });

const KEYS: readonly string[] = ["id", "question", "answer"];

function asBadLine<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new SepError(
      "bad-question-file",
      `The line cannot be used: ${reason}. Write {"id": "1", "question": "…"} on one line.`,
      { cause },
    );
  }
}

/**
 * The lines of a stream of bytes, as they come. Only the line feed ends one: other Unicode line ends may stand inside
 * JSON strings. What is not UTF-8 becomes U+FFFD.
 */
async function* readAnswerLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held = "";
  for await (const bytes of stream) {
    const lines = (held + decoder.decode(bytes, { stream: true })).split("\n");
    held = lines.pop() as string;
    yield* lines;
  }
  const last = held + decoder.decode();
  if (last !== "") yield last;
}
