import { extname } from "node:path";
import { SepError } from "../errors.ts";
import { asRow, type Row } from "../formats/row-fields.ts";
import { type LineProblem, readJsonl } from "../store/jsonl.ts";
import { fileExists, readBytesIfThere } from "../store/read-file.ts";
import { listShortly, shorten, showShortly } from "../text/shorten.ts";

/** What became of the rows of a file. */
interface FileRows<T> {
  readonly rows: readonly T[];
  readonly problems: readonly LineProblem[];
}

/**
 * Reads the rows of a question file, which its name tells: Parquet (`.parquet`), a JSON document (`.json`), else JSONL. A JSON document
 * is a list of rows, or that of SQuAD, TriviaQA or BioASQ as their authors publish it. Rows that `parse` refuses become problems.
 * @param parse turns one row into what is wanted; gets its number from 1, which in JSONL is its line
 * @throws SepError `missing-input` if there is no such file; `bad-question-file` if it is no Parquet, or a JSON document of
 *   something else
 */
export async function readQuestionFile<T>(
  path: string,
  parse: (value: unknown, line: number) => T,
): Promise<FileRows<T>> {
  const kind = extname(path).toLowerCase();
  if (kind === ".parquet") return parseAll(await readParquet(path), parse);
  const document = kind === ".json" ? await readDocument(path) : undefined;
  return document === undefined ? readJsonl(path, { parse }) : parseAll(listRows(path, document), parse);
}

function parseAll<T>(values: readonly unknown[], parse: (value: unknown, line: number) => T): FileRows<T> {
  const rows: T[] = [];
  const problems: LineProblem[] = [];
  for (const [at, value] of values.entries()) {
    try {
      rows.push(parse(value, at + 1));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      problems.push({ line: at + 1, reason: shorten(error.message, 200), excerpt: showShortly(value, 100) });
    }
  }
  return { rows, problems };
}

async function readParquet(path: string): Promise<readonly unknown[]> {
  if (!(await fileExists(path))) throw missing(path);
  const { asyncBufferFromFile, parquetReadObjects } = await import("hyparquet");
  try {
    return await parquetReadObjects({ file: await asyncBufferFromFile(path) });
  } catch (cause) {
    throw new SepError(
      "bad-question-file",
      `${path} cannot be read as Parquet (${cause instanceof Error ? cause.message : String(cause)}). Expected uncompressed or Snappy pages, as the Hugging Face Hub writes them. Download it again, or convert it to JSONL.`,
      { cause },
    );
  }
}

/** SQuAD with its contexts has 40 MB. */
const MOST_BYTES = 2 ** 28;

/** @returns undefined for a file of several documents, one per line */
async function readDocument(path: string): Promise<unknown> {
  const bytes = await readBytesIfThere(path, MOST_BYTES);
  if (bytes === null) throw missing(path);
  const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
  try {
    const value: unknown = JSON.parse(text);
    const isRow = typeof value === "object" && value !== null && ("question" in value || "id" in value);
    return isRow ? undefined : value;
  } catch (cause) {
    if (/^[^\n]*\}\s*\n\s*\{/.test(text)) return undefined;
    throw new SepError(
      "bad-question-file",
      `${path} is not JSON: ${cause instanceof Error ? shorten(cause.message, 200) : ""}. Download it again, or rename it to .jsonl if it has one object per line.`,
      { cause },
    );
  }
}

const missing = (path: string): SepError => new SepError("missing-input", `There is no file ${path}.`);

/** The rows of a document, in the form that they have on the hub. */
function listRows(path: string, document: unknown): readonly unknown[] {
  if (Array.isArray(document)) return document;
  const keys = typeof document === "object" && document !== null ? (document as Row) : {};
  const { questions, data, Data } = keys;
  if (Array.isArray(questions)) return questions;
  if (Array.isArray(Data)) return Data.map(fromTriviaQa);
  if (Array.isArray(data)) return data.flatMap(fromSquad);
  throw new SepError(
    "bad-question-file",
    `${path} has the keys ${listShortly(Object.keys(keys)) || "of no object"}, expected a list of questions, or "questions" (BioASQ), "data" (SQuAD) or "Data" (TriviaQA). Convert it to JSONL with question and answer.`,
  );
}

/** An article of SQuAD: paragraphs, each with a context and its questions. */
function fromSquad(value: unknown): readonly unknown[] {
  const { paragraphs } = value as { readonly paragraphs?: unknown };
  if (!Array.isArray(paragraphs)) return [value];
  return (paragraphs as readonly Row[]).flatMap(({ context, qas }) =>
    (Array.isArray(qas) ? (qas as readonly Row[]) : []).map(({ id, question, answers }) => ({
      id,
      question,
      context,
      answers: { text: Array.isArray(answers) ? (answers as readonly Row[]).map(({ text }) => text) : [] },
    })),
  );
}

function fromTriviaQa(value: unknown): Row {
  const { Question, QuestionId, Answer } = asRow(value);
  const { Value, Aliases } = (Answer ?? { Value: "<unk>" }) as Row;
  return { question_id: QuestionId, question: Question, answer: { value: Value, aliases: Aliases } };
}
