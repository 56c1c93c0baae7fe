import { SepError } from "../errors.ts";
import { asRow, countField, type Row, stringField } from "../formats/row-fields.ts";
import { describeProblems, type LineProblem, readJsonl } from "../store/jsonl.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import type { TextSpan } from "../text/find-sentences.ts";
import { shorten } from "../text/shorten.ts";
import type { RunRecord, TracedRun } from "./run-record.ts";
import { runKey } from "./samples.ts";

/** A stretch of a run's text that a user has marked, and what it was labelled. */
export interface MarkedSpan {
  /** Half-open, in UTF-16 units of the run's `output_text`. */
  readonly span: TextSpan;
  /** 1 is the uncertain side, such as a claim that is wrong. */
  readonly label: 0 | 1;
}

interface MarkedSpans {
  /** By `runKey`, in the order of the text. */
  readonly spans: ReadonlyMap<string, readonly MarkedSpan[]>;
  /** Lines that could not be used. */
  readonly problems: readonly LineProblem[];
}

/**
 * The stretches that the user has marked, in the text of the runs that are read.
 * @param path one `{question_id, run_id, start, end, label, text?}` per line
 * @param recorded the runs that the file is about
 * @param read the runs in the tokens that are read
 * @throws SepError `missing-input`; `bad-span-file` if no line of it can be used
 */
export async function markRuns(
  path: string,
  recorded: readonly RunRecord[],
  read: readonly TracedRun[],
): Promise<{
  readonly spansOf: (run: TracedRun) => readonly MarkedSpan[];
  readonly warnings: readonly ManifestWarning[];
}> {
  const { spans, problems } = await readMarkedSpans(path, recorded);
  const texts = new Map(recorded.map((run) => [runKey(run.question_id, run.run_id), run.output_text]));
  // an observer's text may have other tags around the reasoning, and then offsets are not those of the file
  const isRewritten = (run: TracedRun): boolean =>
    texts.get(runKey(run.question_id, run.run_id)) !== run.output_text;
  const spansOf = (run: TracedRun): readonly MarkedSpan[] =>
    isRewritten(run) ? [] : (spans.get(runKey(run.question_id, run.run_id)) ?? []);
  const lost = read.filter(
    (run) => isRewritten(run) && spans.has(runKey(run.question_id, run.run_id)),
  ).length;
  return {
    spansOf,
    warnings: [
      ...(problems.length === 0
        ? []
        : [{ code: "bad-span-lines", message: `${path}: ${describeProblems(problems)} were left out.` }]),
      ...(lost === 0
        ? []
        : [
            {
              code: "spans-rewritten",
              message: `The marked stretches of ${lost} answers were left out: the observer reads their text with other tags around the reasoning.`,
            },
          ]),
    ],
  };
}

/**
 * Reads stretches that a user has marked, one `{question_id, run_id, start, end, label, text?}` per line. Offsets are in UTF-16
 * units of `output_text`; with `text`, a line is refused whose stretch reads otherwise, such as one counted in bytes.
 * @throws SepError `missing-input`; `bad-span-file` if no line of it can be used
 */
async function readMarkedSpans(path: string, runs: readonly RunRecord[]): Promise<MarkedSpans> {
  const texts = new Map(
    runs.map(({ question_id, run_id, output_text }) => [runKey(question_id, run_id), output_text]),
  );
  const spans = new Map<string, MarkedSpan[]>();
  const parse = (value: unknown): void => {
    const row = asRow(value);
    const [question, run] = [stringField(row, "question_id"), countField(row, "run_id")];
    const key = runKey(question, run);
    const text = texts.get(key);
    if (text === undefined) throw new TypeError(`there is no run ${run} of question "${question}"`);
    const mark = parseMark(row, text);
    const own = spans.get(key) ?? [];
    if (own.some(({ span }) => span.join() === mark.span.join()))
      throw new TypeError(`characters ${mark.span.join(" to ")} are marked already`);
    spans.set(key, [...own, mark]);
  };
  const { problems } = await readJsonl(path, { parse });
  if (spans.size === 0)
    throw new SepError(
      "bad-span-file",
      `No line of ${path} marks a stretch of an answer: ${problems.length === 0 ? "it is empty" : describeProblems(problems)}. ` +
        'Expected one {"question_id": …, "run_id": …, "start": …, "end": …, "label": 0 or 1} per line.',
    );
  for (const own of spans.values()) own.sort((a, b) => a.span[0] - b.span[0] || a.span[1] - b.span[1]);
  return { spans, problems };
}

function parseMark(row: Row, text: string): MarkedSpan {
  const [start, end] = [countField(row, "start"), countField(row, "end")];
  if (start >= end || end > text.length)
    throw new TypeError(`characters ${start} to ${end} of an answer of ${text.length}`);
  const found = text.slice(start, end);
  if (row.text !== undefined && stringField(row, "text") !== found)
    throw new TypeError(
      `the answer reads "${shorten(found)}" there, not "${shorten(String(row.text))}": count in UTF-16 units`,
    );
  const label = row.label === true ? 1 : row.label === false ? 0 : row.label;
  if (label !== 0 && label !== 1)
    throw new TypeError(`"label" is ${JSON.stringify(row.label)}, expected 0 or 1, 1 for what is wrong`);
  return { span: [start, end], label };
}
