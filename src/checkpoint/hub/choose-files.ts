import { SepError } from "../../errors.ts";
import { printableLine } from "../../text/shorten.ts";
import { SHARD_INDEX, SINGLE_FILE } from "../weight-index.ts";
import { formatHubModelId, type HubModelId } from "./hub-model-id.ts";

/** What to download of a repository. */
export interface ChosenFiles {
  /** Paths within the repository; with `sharded`, without the shards. */
  readonly files: readonly string[];
  /** Optional files that the repository does not have. */
  readonly absent: readonly string[];
  /** The weights are in the files that `model.safetensors.index.json` names. */
  readonly sharded: boolean;
}

/**
 * Chooses the files to download.
 * @param names of all files of the repository, with their folders
 * @throws SepError `no-safetensors` naming the formats that exist, `hub-file-missing`
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
  // ONNX stores large weights in a second file
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

/** Files of transformers' slow tokenizers, which have no `tokenizer.json`. */
const SLOW_TOKENIZERS = [
  "tokenizer.model",
  "spm.model",
  "sentencepiece.bpe.model",
  "vocab.json",
  "vocab.txt",
];

/** Which files of a repository are wanted. */
export interface FileChoice {
  /** Nothing works without them. */
  readonly required: readonly string[];
  /** Small files that change the results, where the repository has them. */
  readonly optional: readonly string[];
  /** Small files that only other programs read. */
  readonly companions: readonly string[];
  /** Weight files, in order of preference: the first that exists is taken. */
  readonly weights: readonly string[];
}

/** Safetensors weights, in one file or in shards. */
export const SAFETENSORS_FILES: readonly string[] = [SINGLE_FILE, SHARD_INDEX];

/** What the local engine needs of a language model. */
export const LANGUAGE_MODEL_FILES: FileChoice = {
  required: ["config.json", "tokenizer.json"],
  optional: ["generation_config.json", "tokenizer_config.json", "chat_template.jinja"],
  companions: ["special_tokens_map.json", "added_tokens.json", "chat_template.json"],
  weights: SAFETENSORS_FILES,
};
