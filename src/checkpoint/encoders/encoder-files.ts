import type { EncoderDtype } from "../../engine/encoders/encoder.ts";
import { type FileChoice, SAFETENSORS_FILES } from "../hub/choose-files.ts";
import { type Processor, quantisedExports } from "./quantised-exports.ts";

/** What an encoder is used for. */
export type EncoderUse = "classify" | "embed";

export const ENCODER_WEIGHTS = ["auto", "safetensors", "onnx"] as const;
/** `auto` takes safetensors weights where there are any, else an export to ONNX. */
export type EncoderWeights = (typeof ENCODER_WEIGHTS)[number];

/** Exports of a whole model in float32. */
const PLAIN_EXPORTS = ["onnx/model.onnx", "model.onnx"];

export interface EncoderFilesOptions {
  readonly use: EncoderUse;
  readonly dtype: EncoderDtype;
  readonly weights: EncoderWeights;
  readonly processor: Processor;
}

/** Which files of a repository, or of a folder, make an encoder. */
export function chooseEncoderFiles({ use, dtype, weights, processor }: EncoderFilesOptions): FileChoice {
  const exports = dtype === "int8" ? quantisedExports(processor) : PLAIN_EXPORTS;
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
