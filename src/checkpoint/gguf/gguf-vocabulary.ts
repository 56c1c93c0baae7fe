import { SepError } from "../../errors.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";

/** llama.cpp's kinds of token; whatever it does not list counts as undefined. */
export type TokenKind = "undefined" | "normal" | "unknown" | "control" | "user-defined" | "unused" | "byte";

export interface VocabularyEntry {
  readonly text: string;
  readonly kind: TokenKind;
}

/** The tokens of a GGUF file by their ids, and the special ones among them. */
export interface GgufVocabulary {
  readonly entries: readonly VocabularyEntry[];
  readonly bos: number | null;
  readonly eos: number | null;
  readonly unknown: number | null;
  /** Every token that ends an answer, in ascending order. */
  readonly endTokenIds: readonly number[];
}

/**
 * @param mostTokens rows of the embedding table, beyond which no id may go
 * @throws SepError `bad-checkpoint` for tokens that are missing, more than that, or there twice
 */
export function readGgufVocabulary(metadata: GgufMetadata, mostTokens: number): GgufVocabulary {
  const { path } = metadata;
  const texts = metadata.texts("tokenizer.ggml.tokens");
  if (texts.length > mostTokens)
    throw new SepError(
      "bad-checkpoint",
      `${path}: ${texts.length} tokens, and the embedding table has ${mostTokens} rows.`,
    );
  const typeKey = "tokenizer.ggml.token_type";
  const types = metadata.has(typeKey) ? metadata.numbers(typeKey) : null;
  if (types !== null && types.length < texts.length)
    throw new SepError("bad-checkpoint", `${path}: ${texts.length} tokens and ${types.length} token types.`);
  const entries = texts.map((text, id) => ({
    // llama.cpp's name for a token without text, which would otherwise be everywhere
    text: text === "" ? `[EMPTY_${id}]` : text,
    kind: (types === null ? undefined : KINDS[types[id] as number]) ?? "undefined",
  }));
  const seen = new Set<string>();
  for (const { text } of entries) {
    if (seen.has(text))
      throw new SepError(
        "bad-checkpoint",
        `${path}: the token ${JSON.stringify(text.slice(0, 60))} is in the vocabulary twice.`,
      );
    seen.add(text);
  }
  const special = (name: string): number | null => {
    const key = `tokenizer.ggml.${name}_token_id`;
    const id = metadata.index(key);
    if (id === null || id < entries.length) return id;
    throw new SepError(
      "bad-checkpoint",
      `${path}: "${key}" is ${id}, and there are ${entries.length} tokens.`,
    );
  };
  const ends = new Set([special("eos"), special("eot"), special("eom")]);
  entries.forEach(({ text, kind }, id) => {
    if (kind === "control" && END_TEXTS.has(text)) ends.add(id);
  });
  ends.delete(null);
  return {
    entries,
    bos: special("bos"),
    eos: special("eos"),
    unknown: special("unknown"),
    endTokenIds: [...(ends as Set<number>)].sort((a, b) => a - b),
  };
}

/** @see https://github.com/ggml-org/llama.cpp, `llama_token_type` */
const KINDS: readonly TokenKind[] = [
  "undefined",
  "normal",
  "unknown",
  "control",
  "user-defined",
  "unused",
  "byte",
];

/**
 * A file names one end token, and chat models end their turns with others too (Hugging Face's
 * `generation_config.json` lists them); like llama.cpp, these are known by their text.
 */
const END_TEXTS: ReadonlySet<string> = new Set([
  "<|endoftext|>",
  "<|end_of_text|>",
  "<|im_end|>",
  "<|eot_id|>",
  "<|eom_id|>",
  "<|end|>",
  "<end_of_turn>",
]);
