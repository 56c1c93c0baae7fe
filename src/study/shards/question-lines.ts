import { SepError } from "../../errors.ts";
import { readLines } from "../../store/jsonl.ts";

/** The lines of one question, as they stand in the file. */
export interface QuestionLines {
  readonly questionId: string;
  readonly lines: readonly Buffer[];
}

/**
 * A JSONL file by question, one question in memory at a time. The lines of a question follow one another.
 * @throws SepError `missing-input`; `bad-artefact` for a line without the key
 */
export async function* readQuestionLines(path: string, key = "question_id"): AsyncGenerator<QuestionLines> {
  let questionId: string | null = null;
  let lines: Buffer[] = [];
  let number = 0;
  for await (const { bytes, sizeBytes } of readLines(path)) {
    number += 1;
    if (sizeBytes > bytes.length)
      throw new SepError(
        "bad-artefact",
        `${path}: line ${number} has ${sizeBytes} bytes, more than any row. Make the file again.`,
      );
    if (bytes.length === 0) continue;
    const id = readId(bytes, key, `${path}: line ${number}`);
    if (id !== questionId && questionId !== null) {
      yield { questionId, lines };
      lines = [];
    }
    questionId = id;
    lines.push(bytes);
  }
  if (questionId !== null) yield { questionId, lines };
}

function readId(bytes: Buffer, key: string, where: string): string {
  let id: unknown;
  try {
    id = (JSON.parse(bytes.toString()) as Readonly<Record<string, unknown>>)[key];
  } catch (cause) {
    throw new SepError("bad-artefact", `${where} is not JSON. Make the file again.`, { cause });
  }
  if (typeof id === "string") return id;
  throw new SepError("bad-artefact", `${where} has no "${key}". Make the file again.`);
}
