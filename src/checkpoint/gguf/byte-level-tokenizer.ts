import { SepError } from "../../errors.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";
import type { GgufVocabulary } from "./gguf-vocabulary.ts";
import type { PreTokenizer } from "./pre-tokenizers.ts";

/**
 * The parts of `tokenizer.json` for byte-level BPE (`tokenizer.ggml.model` = gpt2): GPT-2, Llama 3, Qwen, SmolLM.
 * @throws SepError `bad-checkpoint` for merges that are missing or no pairs
 */
export function byteLevelParts(
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
 * Token ids by their text in GPT-2's byte alphabet. Some converters write normal tokens as plain text, which no
 * word would ever match, and whose characters the decoder could not read.
 */
function spellVocabulary(entries: GgufVocabulary["entries"]): Record<string, number> {
  const alphabet = byteAlphabet();
  const letters = new Set(alphabet);
  const given = new Set(entries.map(({ text }) => text));
  return Object.fromEntries(
    entries.map(({ text, kind }, id) => {
      const matched = kind !== "normal" && kind !== "undefined"; // found in the text as it stands
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
