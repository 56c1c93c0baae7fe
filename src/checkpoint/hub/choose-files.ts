import { SepError } from "../../errors.ts";
import { printableLine } from "../../text/shorten.ts";
import { SHARD_INDEX, SINGLE_FILE } from "../weight-index.ts";
import { formatHubModelId, type HubModelId } from "./hub-model-id.ts";

/** What to download of a repository. */
export interface ChosenFiles {
  /** With their folders; with `sharded`, without the shards. */
  readonly files: readonly string[];
  /** Optional files that the repository does not have. */
  readonly absent: readonly string[];
  /** The weights are in the files that `model.safetensors.index.json` names. */
  readonly sharded: boolean;
}

/**
 * Chooses what a use of a repository takes among its files.
 * @param names of all files, with their folders
 * @throws SepError `no-safetensors` naming the formats that are there, `hub-file-missing`
 */
export function chooseFiles(
  id: HubModelId,
  names: readonly string[],
  { required, optional, companions, weights: wanted }: FileChoice,
): ChosenFiles {
  const there = new Set(names);
  const weights = wanted.find((name) => there.has(name));
  if (weights === undefined && wanted.length > 0) throw explainFormats(id, names, wanted);
  for (const name of required) {
    if (!there.has(name)) throw explainMissing(id, name, there);
  }
  const small = [...optional, ...companions];
  // ONNX keeps what does not fit into one file beside it
  const withWeights = weights === undefined ? [] : [weights, `${weights}_data`, `${weights}.data`];
  return {
    files: [...required, ...[...small, ...withWeights].filter((name) => there.has(name))],
    absent: small.filter((name) => !there.has(name)),
    sharded: weights === SHARD_INDEX,
  };
}

function explainFormats(id: HubModelId, names: readonly string[], wanted: readonly string[]): SepError {
  const found = Object.entries(FORMATS).flatMap(([format, pattern]) => {
    const example = names.find((name) => pattern.test(name));
    return example === undefined ? [] : [`${format} (${printableLine(example)})`];
  });
  const gguf = names.some((name) => name.endsWith(".gguf"))
    ? " Of a GGUF repository download one file, and give its path."
    : "";
  return new SepError(
    "no-safetensors",
    `${formatHubModelId(id)} has no ${wanted.join(" and no ")}; it has ${
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
    name === "tokenizer.json" && SLOW_TOKENIZERS.some((file) => there.has(file))
      ? " It has a slow tokenizer only: save_pretrained of Python's transformers writes the fast one."
      : " Is it a model in Hugging Face format?";
  return new SepError("hub-file-missing", `${formatHubModelId(id)} has no ${name}, which is needed.${hint}`);
}

/** What transformers' tokenizers without `tokenizer.json` are stored in. */
const SLOW_TOKENIZERS = [
  "tokenizer.model",
  "spm.model",
  "sentencepiece.bpe.model",
  "vocab.json",
  "vocab.txt",
];

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
