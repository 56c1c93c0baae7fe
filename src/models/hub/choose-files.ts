import { SepError } from "../../errors.ts";
import { SHARD_INDEX, SINGLE_FILE } from "../checkpoint/weight-index.ts";
import { formatHubModelId, type HubModelId } from "./hub-model-id.ts";
import { printableLine } from "./printable-line.ts";

/** Without these no checkpoint can be used. */
export const REQUIRED_FILES: readonly string[] = ["config.json", "tokenizer.json"];

/** Small files that a checkpoint may have, and that change what a model says. */
export const OPTIONAL_FILES: readonly string[] = [
  "generation_config.json",
  "tokenizer_config.json",
  "chat_template.jinja",
];

/** Small files that other programs look for beside these. */
const COMPANION_FILES: readonly string[] = [
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.json",
];

/** What to download of a repository. */
export interface ChosenFiles {
  /** In the repository's root; with `sharded`, without the shards. */
  readonly files: readonly string[];
  /** Optional files that the repository does not have. */
  readonly absent: readonly string[];
  /** The weights are in the files that `model.safetensors.index.json` names. */
  readonly sharded: boolean;
}

/**
 * Chooses config, tokenizer and safetensors weights among a repository's files.
 * @param names of all files, with their folders
 * @throws SepError `no-safetensors` naming the formats that are there, `hub-file-missing`
 */
export function chooseFiles(id: HubModelId, names: readonly string[]): ChosenFiles {
  const there = new Set(names);
  const weights = [SINGLE_FILE, SHARD_INDEX].find((name) => there.has(name));
  if (weights === undefined) throw explainFormats(id, names);
  for (const name of REQUIRED_FILES) {
    if (!there.has(name)) throw explainMissing(id, name, there);
  }
  const small = [...OPTIONAL_FILES, ...COMPANION_FILES];
  return {
    files: [...REQUIRED_FILES, ...small.filter((name) => there.has(name)), weights],
    absent: small.filter((name) => !there.has(name)),
    sharded: weights === SHARD_INDEX,
  };
}

function explainFormats(id: HubModelId, names: readonly string[]): SepError {
  const found = Object.entries(FORMATS).flatMap(([format, pattern]) => {
    const example = names.find((name) => pattern.test(name));
    return example === undefined ? [] : [`${format} (${printableLine(example)})`];
  });
  const gguf = names.some((name) => name.endsWith(".gguf"))
    ? " Of a GGUF repository download one file, and give its path."
    : "";
  return new SepError(
    "no-safetensors",
    `${formatHubModelId(id)} has no ${SINGLE_FILE} and no ${SHARD_INDEX}; it has ${
      found.length === 0 ? "no weights in any format known here" : found.join(", ")
    }. Use a repository with safetensors weights, or convert them with save_pretrained of Python's transformers.${gguf}`,
  );
}

const FORMATS: Readonly<Record<string, RegExp>> = {
  "a LoRA adapter": /^adapter_model\.(safetensors|bin)$/,
  "safetensors under other names": /\.safetensors$/,
  GGUF: /\.gguf$/,
  PyTorch: /\.(bin|pt|pth|ckpt)$/,
  ONNX: /\.onnx(_data)?$/,
  TensorFlow: /\.(h5|tflite)$|(^|\/)saved_model\.pb$/,
  Flax: /\.msgpack$/,
};

function explainMissing(id: HubModelId, name: string, there: ReadonlySet<string>): SepError {
  const hint =
    name === "tokenizer.json" && (there.has("tokenizer.model") || there.has("vocab.json"))
      ? " It has a slow tokenizer only: save_pretrained of Python's transformers writes the fast one."
      : " Is it a language model in Hugging Face format?";
  return new SepError("hub-file-missing", `${formatHubModelId(id)} has no ${name}, which is needed.${hint}`);
}
