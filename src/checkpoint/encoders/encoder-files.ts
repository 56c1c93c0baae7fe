import { join } from "node:path";
import type { EncoderDtype } from "../../engine/encoders/encoder.ts";
import { SepError } from "../../errors.ts";
import { openRegularFile, readIfThere } from "../../store/read-file.ts";
import { type FileChoice, SAFETENSORS_FILES } from "../hub/choose-files.ts";
import { sizeIfThere } from "../hub/hub-cache.ts";
import { SHARD_INDEX, weightFileNames } from "../weight-index.ts";

/** What an encoder is used for. */
export type EncoderUse = "classify" | "embed";

const ENCODER_WEIGHTS = ["auto", "safetensors", "onnx"] as const;
/** `auto` takes safetensors weights where there are any, else an export to ONNX. */
export type EncoderWeights = (typeof ENCODER_WEIGHTS)[number];

/** Exports of a whole model in float32. */
const PLAIN_EXPORTS = ["onnx/model.onnx", "model.onnx"];

interface EncoderFilesOptions {
  readonly use: EncoderUse;
  readonly dtype: EncoderDtype;
  readonly weights: EncoderWeights;
  readonly cpu: Cpu;
}

/** Which files of a repository, or of a folder, make an encoder. */
export function chooseEncoderFiles({ use, dtype, weights, cpu }: EncoderFilesOptions): FileChoice {
  const exports = dtype === "int8" ? quantisedExports(cpu) : PLAIN_EXPORTS;
  return {
    required: ["config.json", "tokenizer.json"],
    optional: ["tokenizer_config.json", ...(use === "embed" ? SENTENCE_FILES : [])],
    companions: ["special_tokens_map.json", "added_tokens.json"],
    weights: [
      ...(weights === "onnx" ? [] : SAFETENSORS_FILES),
      ...(weights === "safetensors" ? [] : exports),
    ],
  };
}

/** How sentence-transformers makes one vector of a text's many. */
const SENTENCE_FILES = [
  "modules.json",
  "sentence_bert_config.json",
  "config_sentence_transformers.json",
  "1_Pooling/config.json",
];

/** Where an encoder's weights are within its folder. */
export interface EncoderWeightFiles {
  readonly kind: "safetensors" | "onnx";
  /** Relative to the folder, the main one first. */
  readonly files: readonly string[];
}

/**
 * Finds the weights that a choice of files prefers among those that a folder has.
 * @throws SepError `no-safetensors` if it has none of them, `bad-tokenizer` if its tokenizer is in another format,
 *   `bad-checkpoint` for an export that is not a regular file
 */
export async function findEncoderWeights(
  folder: string,
  { weights }: FileChoice,
): Promise<EncoderWeightFiles> {
  const isThere = async (name: string): Promise<boolean> => (await sizeIfThere(join(folder, name))) !== null;
  if (!(await isThere("tokenizer.json")) && (await isThere("spm.model"))) {
    throw new SepError(
      "bad-tokenizer",
      `${folder} has spm.model and no tokenizer.json, which the local engine reads. In Python, transformers' AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes it.`,
    );
  }
  for (const name of weights) {
    if (!(await isThere(name))) continue;
    if (name === SHARD_INDEX) return { kind: "safetensors", files: await weightFileNames(folder) };
    if (name.endsWith(".safetensors")) return { kind: "safetensors", files: [name] };
    // ONNX keeps what does not fit into one file beside it
    const files = [name];
    for (const data of [`${name}_data`, `${name}.data`]) if (await isThere(data)) files.push(data);
    // onnxruntime would wait for a FIFO for ever
    for (const file of files) await (await openRegularFile(join(folder, file), "bad-checkpoint")).close();
    return { kind: "onnx", files };
  }
  const pytorch = (await isThere("pytorch_model.bin"))
    ? " It has pytorch_model.bin, which can run code when it is loaded, and is not read here."
    : "";
  throw new SepError(
    "no-safetensors",
    `${folder} has none of ${weights.join(", ")}.${pytorch} In Python, transformers' AutoModel…from_pretrained(FOLDER).save_pretrained(FOLDER) writes model.safetensors.`,
  );
}

/** A CPU, as far as the choice of a quantised model depends on it. */
export interface Cpu {
  /** As `process.arch` names it. */
  readonly arch: string;
  /** Instruction sets, as Linux names them; empty where the system does not tell. */
  readonly flags: ReadonlySet<string>;
}

/**
 * Quantised exports that suit a CPU, the fastest first. x86 CPUs without VNNI multiply unsigned weights exactly, and signed
 * ones only once they are converted (see `exactIntegerSettings`), so those get the file with unsigned ones. The last two
 * are of exports for no CPU in particular.
 * @see sentence-transformers' `export_dynamic_quantized_onnx_model` and transformers.js, which name their files so
 */
export function quantisedExports({ arch, flags }: Cpu): readonly string[] {
  const own =
    arch === "arm64"
      ? ["model_qint8_arm64"]
      : [...(flags.has("avx512_vnni") ? ["model_qint8_avx512_vnni"] : []), "model_quint8_avx2"];
  return [...own, "model_quantized", "model_int8"].map((name) => `onnx/${name}.onnx`);
}

/** This machine's CPU. Only Linux tells the instruction sets in a file; elsewhere they count as missing. */
export async function detectCpu(): Promise<Cpu> {
  const text = (await readIfThere("/proc/cpuinfo")) ?? "";
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1] ?? "";
  return { arch: process.arch, flags: new Set(flags.split(" ").filter(Boolean)) };
}
