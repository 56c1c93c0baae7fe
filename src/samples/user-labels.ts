import { SepError } from "../errors.ts";
import { asRow, countField, stringField } from "../formats/row-fields.ts";
import { readJsonl } from "../store/jsonl.ts";
import { listShortly, showShortly } from "../text/shorten.ts";
import type { RunRecord } from "./run-record.ts";

/** The user's grades: `{question_id, run_id?, correct}` per line. */
interface UserLabels {
  readonly path: string;
  /** By `labelKey`: of one sample, of the best answer, or of every answer to a question. */
  readonly labels: ReadonlyMap<string, boolean>;
}

/** The answer that counts as the model's own; its run id in the runs file is 0, as that of the first sample. */
const BEST = "best";

/**
 * Reads grades of answers. `run_id` is that of a sample, or "best" for the best answer; a line without it is for every answer to
 * its question that has none of its own. `correct` is true, false, or a number from 0 to 1, right from one half.
 * @param questionIds of all sets that the file may be about
 * @throws SepError `missing-input`; `bad-labels-file` naming the lines that are malformed, repeated or about other questions
 */
export async function readUserLabels(path: string, questionIds: ReadonlySet<string>): Promise<UserLabels> {
  const labels = new Map<string, boolean>();
  const parse = (value: unknown): void => {
    const row = asRow(value);
    const question = stringField(row, "question_id");
    const run = row.run_id === undefined || row.run_id === BEST ? row.run_id : countField(row, "run_id");
    const correct = readGrade(row.correct);
    if (!questionIds.has(question))
      throw new TypeError(`question ${showShortly(question, 60)} is not in the study`);
    const key = labelKey(question, run);
    if (labels.has(key)) throw new TypeError(`${nameAnswer(question, run)} has a label already`);
    labels.set(key, correct);
  };
  const { rows, problems } = await readJsonl(path, { parse });
  if (problems.length > 0)
    throw badLabels(
      path,
      problems.map(({ line, reason }) => `line ${line}: ${reason}`),
    );
  if (rows.length === 0) throw badLabels(path, ["it is empty"]);
  return { path, labels };
}

/**
 * Grades answers by the user's labels. A file that labels none of the samples, or none of the best answers, leaves these ungraded;
 * else every one needs a label.
 * @param kind which of a question's answers the runs are
 * @throws SepError `bad-labels-file` naming the answers without a label, and labels of samples that there are not
 */
export function applyUserLabels(
  { path, labels }: UserLabels,
  runs: readonly RunRecord[],
  kind: "samples" | "best",
): RunRecord[] {
  const graded = runs.map((run) => {
    const { question_id, run_id } = run;
    const own = labels.get(labelKey(question_id, kind === "best" ? BEST : run_id));
    return { ...run, is_correct: own ?? labels.get(labelKey(question_id, undefined)) ?? null };
  });
  const missing = graded.filter(({ is_correct }) => is_correct === null);
  const known = new Set(runs.map(({ question_id, run_id }) => labelKey(question_id, run_id)));
  const asked = new Set(runs.map(({ question_id }) => question_id));
  const surplus = [...labels.keys()].flatMap((key) => {
    const [question, run] = JSON.parse(key) as [string, string | number | null];
    const isOther = kind === "best" || typeof run !== "number" || !asked.has(question) || known.has(key);
    return isOther ? [] : [nameAnswer(question, run)];
  });
  const complaints = [
    ...surplus.map((name) => `${name} does not exist`),
    ...(missing.length === graded.length
      ? []
      : missing.map(
          ({ question_id, run_id }) =>
            `${nameAnswer(question_id, kind === "best" ? BEST : run_id)} has no label`,
        )),
  ];
  if (complaints.length > 0) throw badLabels(path, complaints);
  return graded;
}

function readGrade(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  if (typeof value === "number" && value >= 0 && value <= 1) return value >= 0.5;
  throw new TypeError(`"correct" is ${showShortly(value, 40)}, expected true, false or a number from 0 to 1`);
}

const labelKey = (question: string, run: unknown): string => JSON.stringify([question, run ?? null]);

const nameAnswer = (question: string, run: unknown): string => {
  const name = `question ${showShortly(question, 60)}`;
  if (run === undefined || run === null) return name;
  return run === BEST ? `the best answer to ${name}` : `sample ${String(run)} of ${name}`;
};

const badLabels = (path: string, complaints: readonly string[]): SepError =>
  new SepError(
    "bad-labels-file",
    `${path}: ${listShortly(complaints, { most: 10, separator: "; " })}. Expected one {"question_id": …, "run_id": …, "correct": true or false} per answer; docs/prompts.md has the format.`,
  );
