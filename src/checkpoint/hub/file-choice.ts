import { SHARD_INDEX, SINGLE_FILE } from "../weight-index.ts";

/** Which files of a repository a use of it takes. */
export interface FileChoice {
  /** Without these nothing can be done. */
  readonly required: readonly string[];
  /** Small files that a repository may have, and that change what comes out. */
  readonly optional: readonly string[];
  /** Small files that other programs look for beside these. */
  readonly companions: readonly string[];
  /** Files with weights, the preferred one first: the first that is there is taken. */
  readonly weights: readonly string[];
}

/** Safetensors weights, whole or in shards. */
export const SAFETENSORS_FILES: readonly string[] = [SINGLE_FILE, SHARD_INDEX];

/** What the local engine needs of a language model. */
export const LANGUAGE_MODEL_FILES: FileChoice = {
  required: ["config.json", "tokenizer.json"],
  optional: ["generation_config.json", "tokenizer_config.json", "chat_template.jinja"],
  companions: ["special_tokens_map.json", "added_tokens.json", "chat_template.json"],
  weights: SAFETENSORS_FILES,
};
