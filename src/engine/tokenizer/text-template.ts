import { SepError } from "../../errors.ts";

/** How a model frames one text, or two together, with its own tokens. */
export interface TextTemplate {
  readonly single: readonly TemplatePiece[];
  readonly pair: readonly TemplatePiece[];
}

/** Tokens of the model, or the place of a text. */
export type TemplatePiece =
  | { readonly tokenIds: readonly number[]; readonly type: number }
  | { readonly text: "first" | "second"; readonly type: number };

/**
 * Reads a tokenizer's post-processor.
 * @param path shown in errors
 * @param postProcessor as in `tokenizer.json`
 * @throws SepError `bad-tokenizer` if it frames no text
 */
export function readTextTemplate(path: string, postProcessor: unknown): TextTemplate {
  try {
    const template = findTemplate(postProcessor);
    if (template !== null) return template;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new SepError("bad-tokenizer", `${path}: its post_processor is damaged: ${cause.message}`, {
      cause,
    });
  }
  const { type } = (postProcessor ?? {}) as { readonly type?: unknown };
  throw new SepError(
    "bad-tokenizer",
    `${path}: its post_processor is ${JSON.stringify(type ?? null)}, expected TemplateProcessing, BertProcessing or RobertaProcessing. Is it the tokenizer of an encoder?`,
  );
}

/** Fields of an object; a TypeError says which is missing. */
type Fields = Readonly<Record<string, unknown>>;

function findTemplate(stated: unknown): TextTemplate | null {
  const fields = (stated ?? {}) as Fields;
  switch (fields.type) {
    case "TemplateProcessing":
      return { single: readPieces(fields, "single"), pair: readPieces(fields, "pair") };
    case "BertProcessing": {
      const [start, end] = [readToken(fields.cls), readToken(fields.sep)];
      const single = [start, FIRST, end];
      return { single, pair: [...single, { ...SECOND, type: 1 }, { ...end, type: 1 }] };
    }
    case "RobertaProcessing": {
      const [start, end] = [readToken(fields.cls), readToken(fields.sep)];
      const single = [start, FIRST, end];
      return { single, pair: [...single, end, SECOND, end] };
    }
    case "Sequence": {
      const processors = Array.isArray(fields.processors) ? (fields.processors as unknown[]) : [];
      return processors.map(findTemplate).find((found) => found !== null) ?? null;
    }
    default:
      return null;
  }
}

const FIRST: TemplatePiece = { text: "first", type: 0 };
const SECOND: TemplatePiece = { text: "second", type: 0 };

/** A token as older post-processors have it: `["[SEP]", 102]`. */
function readToken(stated: unknown): TemplatePiece {
  const id = Array.isArray(stated) ? (stated[1] as unknown) : undefined;
  if (!Number.isSafeInteger(id)) throw new TypeError(`a token is ${JSON.stringify(stated)}`);
  return { tokenIds: [id as number], type: 0 };
}

/** `[{ SpecialToken: { id, type_id } }, { Sequence: { id: "A", type_id } }, …]` */
function readPieces(fields: Fields, name: "single" | "pair"): TemplatePiece[] {
  const pieces = fields[name];
  if (!Array.isArray(pieces)) throw new TypeError(`"${name}" is not a list`);
  return pieces.map((piece: Fields): TemplatePiece => {
    const [[kind, value] = []] = Object.entries(piece);
    const { id, type_id: type } = (value ?? {}) as Fields;
    if (typeof id !== "string" || !Number.isSafeInteger(type)) {
      throw new TypeError(`"${name}" has ${JSON.stringify(piece)}`);
    }
    if (kind === "Sequence") return { text: id === "A" ? "first" : "second", type: type as number };
    const { ids } = ((fields.special_tokens as Fields | undefined)?.[id] ?? {}) as Fields;
    if (!Array.isArray(ids) || !ids.every(Number.isSafeInteger)) {
      throw new TypeError(`its special token ${JSON.stringify(id)} has no ids`);
    }
    return { tokenIds: ids as number[], type: type as number };
  });
}
