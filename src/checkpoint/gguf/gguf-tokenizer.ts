import { SepError } from "../../errors.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import type { TokenizerFiles } from "../tokenizer/sandboxed-tokenizer.ts";
import type { GgufArchitecture } from "./gguf-config.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";
import { choosePreTokenizer, type GgufVocabulary, type PreTokenizer } from "./gguf-vocabulary.ts";

/**
 * The tokenizer of a GGUF file, as the `tokenizer.json` and `tokenizer_config.json` that it was made from.
 * @throws SepError `unsupported-model` for another kind than byte-level BPE (gpt2) and SentencePiece (llama) or an
 *   unknown pre-tokenizer, `bad-checkpoint` for metadata that are missing or of another kind, `hostile-model`
 */
export function spellGgufTokenizer(
  metadata: GgufMetadata,
  vocabulary: GgufVocabulary,
  architecture: GgufArchitecture,
): TokenizerFiles {
  const { entries, bos, eos, unknown } = vocabulary;
  const { parts, addBos } = readParts(metadata, vocabulary, architecture);
  const textOf = (id: number | null): string | null => (id === null ? null : (entries[id]?.text ?? null));
  const textIf = (added: boolean, id: number | null, key: string): string | null => {
    if (!added || id !== null) return added ? textOf(id) : null;
    throw new SepError(
      "bad-checkpoint",
      `${metadata.path}: the metadata asks for the token "${key}", which is missing. Download the file again or recreate it.`,
    );
  };
  const tokenizer = {
    version: "1.0",
    added_tokens: addedTokens(vocabulary),
    ...parts,
    post_processor: surround({
      before: textIf(
        metadata.flag("tokenizer.ggml.add_bos_token", addBos),
        bos,
        "tokenizer.ggml.bos_token_id",
      ),
      after: textIf(metadata.flag("tokenizer.ggml.add_eos_token", false), eos, "tokenizer.ggml.eos_token_id"),
    }),
  };
  const config = { bos_token: textOf(bos), eos_token: textOf(eos), unk_token: textOf(unknown) };
  const template = "tokenizer.chat_template";
  const json = new TextEncoder().encode(JSON.stringify(tokenizer));
  const { path } = metadata;
  return {
    path,
    json,
    config,
    chatTemplate: metadata.has(template) ? { path, source: metadata.text(template) } : null,
    sha256: fingerprint(json),
  };
}

function readParts(
  metadata: GgufMetadata,
  vocabulary: GgufVocabulary,
  architecture: GgufArchitecture,
): { readonly parts: Record<string, unknown>; readonly addBos: boolean } {
  const model = metadata.text("tokenizer.ggml.model");
  if (model === "llama") return { parts: sentencepieceParts(metadata, vocabulary), addBos: true };
  if (model === "gpt2") {
    const preTokenizer = choosePreTokenizer(metadata, architecture);
    const parts = byteLevelParts(metadata, vocabulary, preTokenizer);
    return { parts, addBos: preTokenizer.addBos ?? false };
  }
  throw new SepError(
    "unsupported-model",
    `${metadata.path}: tokenizer ${JSON.stringify(model.slice(0, 60))} is not implemented; gpt2 (byte-level BPE) and llama (SentencePiece) are.`,
  );
}

/** Tokens that are matched in the text before anything else; special ones are left out of decoded text. */
function addedTokens({ entries }: GgufVocabulary): object[] {
  return entries.flatMap(({ text, kind }, id) =>
    kind === "control" || kind === "unknown" || kind === "user-defined"
      ? [
          {
            id,
            content: text,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: kind !== "user-defined",
          },
        ]
      : [],
  );
}

function surround({
  before,
  after,
}: {
  readonly before: string | null;
  readonly after: string | null;
}): object {
  const special = (token: string | null, sequence: "A" | "B"): object[] =>
    token === null ? [] : [{ SpecialToken: { id: token, type_id: sequence === "A" ? 0 : 1 } }];
  const one = (sequence: "A" | "B"): object[] => [
    ...special(before, sequence),
    { Sequence: { id: sequence, type_id: sequence === "A" ? 0 : 1 } },
    ...special(after, sequence),
  ];
  return { type: "TemplateProcessing", single: one("A"), pair: [...one("A"), ...one("B")] };
}

/**
 * The parts of `tokenizer.json` for byte-level BPE (`tokenizer.ggml.model` = gpt2): GPT-2, Llama 3, Qwen, SmolLM.
 * @throws SepError `bad-checkpoint` for merges that are missing or are not pairs
 */
function byteLevelParts(
  metadata: GgufMetadata,
  { entries }: GgufVocabulary,
  { patterns, ignoreMerges = false, composed = false }: PreTokenizer,
): Record<string, unknown> {
  const splits = patterns.map((pattern) => ({
    type: "Split",
    pattern: { Regex: pattern },
    behavior: "Isolated",
    invert: false,
  }));
  const toBytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  return {
    normalizer: composed ? { type: "NFC" } : null,
    pre_tokenizer: { type: "Sequence", pretokenizers: [...splits, toBytes] },
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      unk_token: null,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      vocab: spellVocabulary(entries),
      merges: metadata.texts("tokenizer.ggml.merges").map((merge) => splitMerge(merge, metadata.path)),
    },
  };
}

/** The two sides of a merge; the space between them is the first one that is not the left side's first character. */
function splitMerge(merge: string, path: string): [string, string] {
  const space = merge.indexOf(" ", 1);
  if (space > 0 && space < merge.length - 1) return [merge.slice(0, space), merge.slice(space + 1)];
  throw new SepError(
    "bad-checkpoint",
    `${path}: the merge ${JSON.stringify(merge.slice(0, 60))} is not two tokens with a space between them.`,
  );
}

/**
 * Token ids by their text in GPT-2's byte alphabet. Some converters write normal tokens as plain text, which would
 * match no word and could not be decoded.
 */
function spellVocabulary(entries: GgufVocabulary["entries"]): Record<string, number> {
  const alphabet = byteAlphabet();
  const letters = new Set(alphabet);
  const given = new Set(entries.map(({ text }) => text));
  return Object.fromEntries(
    entries.map(({ text, kind }, id) => {
      const matched = kind !== "normal" && kind !== "undefined"; // matched in the text itself
      if (matched || [...text].every((character) => letters.has(character))) return [text, id];
      const spelled = [...new TextEncoder().encode(text)].map((byte) => alphabet[byte]).join("");
      return [given.has(spelled) ? text : spelled, id];
    }),
  );
}

/**
 * [256] the character that stands for each byte: itself where it is printable in Latin-1, else the next free one
 * from U+0100 on.
 * @see Radford et al. 2019 (GPT-2), `encoder.py`, `bytes_to_unicode`
 */
function byteAlphabet(): string[] {
  let free = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : free++);
  });
}

/** SentencePiece's character for a space. */
const SPACE = "▁";

/**
 * The parts of `tokenizer.json` for SentencePiece's BPE (`tokenizer.ggml.model` = llama): Llama 2 and similar.
 *
 * As in Llama 2's own `tokenizer.json` and in llama.cpp, a space is put before the text and before whatever follows
 * a special token, unless the file says otherwise; a character that is not a token becomes the tokens of its bytes.
 * @throws SepError `bad-checkpoint` for scores that are missing or too few
 */
function sentencepieceParts(metadata: GgufMetadata, vocabulary: GgufVocabulary): Record<string, unknown> {
  const { entries, unknown } = vocabulary;
  const scores = metadata.numbers("tokenizer.ggml.scores");
  if (scores.length < entries.length)
    throw new SepError(
      "bad-checkpoint",
      `${metadata.path}: ${entries.length} tokens and ${scores.length} scores.`,
    );
  const prefixed = metadata.flag("tokenizer.ggml.add_space_prefix", true);
  const spaces = { type: "Replace", pattern: { String: " " }, content: SPACE };
  const unknownToken = unknown ?? entries.findIndex(({ kind }) => kind === "unknown");
  return {
    normalizer: prefixed
      ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: SPACE }, spaces] }
      : spaces,
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      unk_token: entries[unknownToken]?.text ?? null,
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(entries.map(({ text }, id) => [text, id])),
      merges: mergesByScore(metadata.path, vocabulary, scores),
    },
  };
}

/**
 * SentencePiece joins the neighbours whose union has the highest score. BPE says the same with an ordered list of
 * pairs: every way to cut a token into two tokens, best union first, and among equals the longer left side first,
 * as Hugging Face's converter orders them.
 */
function mergesByScore(path: string, { entries }: GgufVocabulary, scores: Float64Array): [string, string][] {
  const cuts = entries.reduce((sum, { text }) => sum + text.length ** 2, 0);
  if (cuts > MOST_CUTS) {
    throw new SepError(
      "hostile-model",
      `${path}: its tokens are so long that splitting them takes ${cuts} steps, more than ${MOST_CUTS}. Download the file from a source that you trust.`,
    );
  }
  const texts = new Set(entries.map(({ text }) => text));
  const merges: { left: string; right: string; score: number; leftSize: number; size: number }[] = [];
  for (const [id, { text, kind }] of entries.entries()) {
    // all others are matched in the text itself, or are not text
    if (kind !== "normal" && kind !== "undefined") continue;
    const size = [...text].length;
    const score = scores[id] as number;
    // cut between characters, which have one code unit or two
    for (let at = 0, leftSize = 1; leftSize < size; leftSize++) {
      at += (text.codePointAt(at) as number) > 0xffff ? 2 : 1;
      const left = text.slice(0, at);
      if (!texts.has(left)) continue;
      const right = text.slice(at);
      if (texts.has(right)) merges.push({ left, right, score, leftSize, size });
    }
  }
  merges.sort((a, b) => b.score - a.score || b.leftSize - a.leftSize || b.size - a.size);
  return merges.map(({ left, right }) => [left, right]);
}

/** Characters copied to try every split: 260,000 tokens of 8 characters take 17 million. */
const MOST_CUTS = 1e9;
