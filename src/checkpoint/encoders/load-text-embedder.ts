import { join } from "node:path";
import { type EncoderProvenance, type Pooling, poolTokens } from "../../engine/encoders/encoder.ts";
import { type ConfigReader, createConfigReader } from "../../engine/graph/config-reader.ts";
import { SepError } from "../../errors.ts";
import { readJsonFile, readJsonValue } from "../read-json-file.ts";
import { type LoadEncoderOptions, loadEncoder } from "./load-encoder.ts";

/** A text as a direction: texts with similar meanings have similar ones. */
export interface TextEmbedding {
  /** [D], of length 1 */
  readonly vector: Float32Array;
  /** The text was longer than the model takes, and its end was cut off. */
  readonly truncated: boolean;
}

/** A model that turns texts into vectors, those of texts with similar meanings near each other. */
export interface EmbeddingModel extends AsyncDisposable {
  readonly provenance: EncoderProvenance & { readonly pooling: Pooling };
  /**
   * @param texts [N]; equal ones are computed once
   * @returns [N]
   */
  embed(
    texts: readonly string[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly TextEmbedding[]>;
}

/**
 * Loads a sentence embedder in the format of sentence-transformers: safetensors weights of a known architecture, or an
 * export to ONNX.
 * @throws SepError as `loadEncoder` and `readSentenceSettings`
 */
export async function loadTextEmbedder(
  reference: string,
  options: LoadEncoderOptions = {},
): Promise<EmbeddingModel> {
  const { encoder, plan } = await loadEncoder(
    reference,
    { ...options, use: "embed" },
    async (_config, folder) => ({ ...(await readSentenceSettings(folder)), labelCount: null }),
  );
  const { pooling } = plan;
  return {
    provenance: { ...encoder.provenance, pooling },
    embed: (texts, { signal } = {}) =>
      encoder.run(
        texts,
        (output, row, { tokenIds, truncated }) => ({
          vector: poolTokens(output, row, tokenIds.length, pooling),
          truncated,
        }),
        { signal },
      ),
    [Symbol.asyncDispose]: () => encoder[Symbol.asyncDispose](),
  };
}

/** How a sentence embedder makes one vector of a text. */
interface SentenceSettings {
  readonly pooling: Pooling;
  /** Longest input that its authors use; null if they do not say. */
  readonly maxTokens: number | null;
}

/**
 * Reads the files of sentence-transformers in a model's folder. Models without them are pooled by their mean, as
 * sentence-transformers does.
 * @throws SepError `unsupported-model` naming a module or a setting that would change the vectors
 */
async function readSentenceSettings(folder: string): Promise<SentenceSettings> {
  const read = async (name: string): Promise<ConfigReader | null> => {
    const path = join(folder, name);
    const fields = await readJsonFile(path, { optional: true });
    return fields === null ? null : createConfigReader(path, fields);
  };
  await checkModules(join(folder, "modules.json"));
  const sentences = await read("sentence_bert_config.json");
  sentences?.allow("do_lower_case", [false, null]);
  (await read("config_sentence_transformers.json"))?.allow("default_prompt_name", [null]);
  const pooling = await read("1_Pooling/config.json");
  return {
    pooling: pooling === null ? "mean" : readPooling(pooling),
    maxTokens: sentences?.has("max_seq_length") ? sentences.size("max_seq_length") : null,
  };
}

const MODULES = ["Transformer", "Pooling", "Normalize"];

async function checkModules(path: string): Promise<void> {
  const modules = await readJsonValue(path);
  for (const module of Array.isArray(modules) ? (modules as unknown[]) : []) {
    const type = String((module as { readonly type?: unknown } | null)?.type);
    if (MODULES.includes(type.split(".").at(-1) ?? "")) continue;
    throw new SepError(
      "unsupported-model",
      `${path}: a module is ${JSON.stringify(type)}, and the local engine implements ${MODULES.join(", ")} only.`,
    );
  }
}

/** Newer files name the mode; older ones have a flag for each. */
function readPooling(config: ConfigReader): Pooling {
  if (config.has("pooling_mode")) {
    config.allow("pooling_mode", ["mean", "cls"]);
    return config.text("pooling_mode") as Pooling;
  }
  const flags = config.fields().filter((field) => field.startsWith("pooling_mode_"));
  const modes = flags.filter((field) => config.flag(field));
  const mode = POOLING_FLAGS[modes.join()];
  if (mode !== undefined) return mode;
  throw new SepError(
    "unsupported-model",
    `${config.path}: the pooling is ${modes.join(" and ") || "none"}, and the local engine implements ${Object.keys(POOLING_FLAGS).join(" and ")} only.`,
  );
}

const POOLING_FLAGS: Readonly<Record<string, Pooling>> = {
  pooling_mode_mean_tokens: "mean",
  pooling_mode_cls_token: "cls",
};
