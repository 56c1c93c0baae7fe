import { SepError } from "../../errors.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import type { TokenizerFiles } from "../tokenizer/sandboxed-tokenizer.ts";
import { byteLevelParts } from "./byte-level-tokenizer.ts";
import type { GgufArchitecture } from "./gguf-config.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";
import type { GgufVocabulary } from "./gguf-vocabulary.ts";
import { choosePreTokenizer } from "./pre-tokenizers.ts";
import { sentencepieceParts } from "./sentencepiece-tokenizer.ts";

/**
 * The tokenizer that a GGUF file describes, put together as the files that it once was.
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
      `${metadata.path}: text is to be given the token "${key}", which is missing. Get the file or make it anew.`,
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

/** Tokens that are found in a text before anything else; those that are special are no part of what is said. */
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
