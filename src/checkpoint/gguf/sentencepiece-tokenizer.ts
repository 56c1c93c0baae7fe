import { SepError } from "../../errors.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";
import type { GgufVocabulary } from "./gguf-vocabulary.ts";

/** SentencePiece's character for a space. */
const SPACE = "▁";

/**
 * The parts of `tokenizer.json` for SentencePiece's BPE (`tokenizer.ggml.model` = llama): Llama 2 and its kin.
 *
 * As in Llama 2's own `tokenizer.json` and in llama.cpp, a space is put before the text and before whatever follows
 * a special token, unless the file says otherwise; characters that are no token become their bytes' tokens.
 * @throws SepError `bad-checkpoint` for scores that are missing or too few
 */
export function sentencepieceParts(
  metadata: GgufMetadata,
  vocabulary: GgufVocabulary,
): Record<string, unknown> {
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
      `${path}: its tokens are so long that cutting them in two takes ${cuts} steps, at most ${MOST_CUTS}. Get the file from a source that you trust.`,
    );
  }
  const ids = new Map(entries.map(({ text }, id) => [text, id]));
  const merges = entries.flatMap(({ text, kind }, id) => {
    // all others are found in the text as they stand, or are no text at all
    if (kind !== "normal" && kind !== "undefined") return [];
    const characters = [...text];
    return characters.slice(1).flatMap((_, i) => {
      const left = characters.slice(0, i + 1).join("");
      const right = characters.slice(i + 1).join("");
      if (!ids.has(left) || !ids.has(right)) return [];
      return [{ left, right, score: scores[id] as number, leftSize: i + 1, size: characters.length }];
    });
  });
  merges.sort((a, b) => b.score - a.score || b.leftSize - a.leftSize || b.size - a.size);
  return merges.map(({ left, right }) => [left, right]);
}

/** Characters copied to try every cut: 260,000 tokens of 8 characters take 17 million. */
const MOST_CUTS = 1e9;
