import { SepError } from "../../errors.ts";
import type { GgufArchitecture } from "./gguf-config.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";

/** llama.cpp's kinds of token; whatever it does not list counts as undefined. */
type TokenKind = "undefined" | "normal" | "unknown" | "control" | "user-defined" | "unused" | "byte";

interface VocabularyEntry {
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
 * @throws SepError `bad-checkpoint` for tokens that are missing, too many or repeated
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
    // llama.cpp's name for a token without text, which would otherwise match everywhere
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
 * A file names one end token, but chat models also end their turns with others, which Hugging Face lists in
 * `generation_config.json`. They are recognised by their text, as in llama.cpp.
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

/** How text is split into the words that the merges of a byte-level vocabulary apply to. */
export interface PreTokenizer {
  /** Applied in turn, each to the pieces of the one before. Text between two matches is a piece, too. */
  readonly patterns: readonly string[];
  /** A word that is a token as a whole is not built from merges. */
  readonly ignoreMerges?: boolean;
  /** Text begins with BOS unless the file says otherwise. */
  readonly addBos?: boolean;
  /** Text is normalised to NFC first. */
  readonly composed?: boolean;
}

/**
 * Chooses the pre-tokenizer that the file names, with the patterns that the models' own `tokenizer.json` have.
 * @throws SepError `unsupported-model` for one that is not known, and for a file of the architecture `llama` that
 *   names none: it could be any
 * @see llama.cpp, `src/llama-vocab.cpp`, `llm_tokenizer_bpe`, for the names
 */
export function choosePreTokenizer(metadata: GgufMetadata, architecture: GgufArchitecture): PreTokenizer {
  const stated = metadata.has(KEY) ? metadata.text(KEY) : UNSTATED.get(architecture);
  const found = PRE_TOKENIZERS.find(({ names }) => stated !== undefined && names.includes(stated));
  if (found !== undefined) return found;
  const known = PRE_TOKENIZERS.flatMap(({ names }) => names).join(", ");
  throw new SepError(
    "unsupported-model",
    `${metadata.path}: "${KEY}" is ${metadata.show(KEY)}, and ${known} are implemented. Get a newer conversion of the model, or its checkpoint in Hugging Face's format.`,
  );
}

const KEY = "tokenizer.ggml.pre";
/** Conversions from before that key existed; all models of these architectures share one pre-tokenizer. */
const UNSTATED: ReadonlyMap<string, string> = new Map([
  ["gpt2", "gpt-2"],
  ["qwen2", "qwen2"],
  ["qwen3", "qwen2"],
]);

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const REST = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const LLAMA3 = String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|${REST}`;
const QWEN2 = String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|${REST}`;
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
const TEKKEN = String.raw`[^\r\n\p{L}\p{N}]?${UPPER}*${LOWER}+|[^\r\n\p{L}\p{N}]?${UPPER}+${LOWER}*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

const PRE_TOKENIZERS: readonly (PreTokenizer & { readonly names: readonly string[] })[] = [
  { names: ["gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion"], patterns: [GPT2] },
  {
    // every digit is a word of its own
    names: ["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
    patterns: [String.raw`\p{N}`, GPT2],
  },
  {
    names: ["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "midm-2.0"],
    patterns: [LLAMA3],
    ignoreMerges: true,
    addBos: true,
  },
  { names: ["smaug-bpe", "dbrx"], patterns: [LLAMA3] },
  { names: ["qwen2"], patterns: [QWEN2], composed: true },
  { names: ["deepseek-r1-qwen", "stablelm2", "megrez"], patterns: [QWEN2] },
  { names: ["tekken"], patterns: [TEKKEN], ignoreMerges: true, addBos: true },
  {
    // llama.cpp's own guess for vocabularies that it does not know
    names: ["default"],
    patterns: [String.raw`[\p{P}\$\+<=>\^~\|]+`, GPT2, String.raw`\p{N}+`, "[0-9][0-9][0-9]"],
  },
];
