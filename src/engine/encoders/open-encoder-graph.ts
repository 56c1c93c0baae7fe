import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkConfigSizes } from "../../checkpoint/check-config.ts";
import { weightFiles } from "../../checkpoint/checkpoint.ts";
import type { EncoderDtype } from "../../checkpoint/encoders/encoder-files.ts";
import type { EncoderWeightFiles } from "../../checkpoint/encoders/find-encoder-weights.ts";
import { openQuantisedWeights } from "../../checkpoint/quantised-weights.ts";
import { readWeightIndex } from "../../checkpoint/weight-index.ts";
import type { ConfigReader } from "../graph/config-reader.ts";
import type { QuantisedWeights } from "../graph/graph-weights.ts";
import { QUANTISATIONS } from "../graph/quantisation.ts";
import { createGraphFolder } from "../runtime/graph-folder.ts";
import { buildEncoder } from "./build-encoder.ts";
import { type EncoderSession, openEncoderSession } from "./encoder-session.ts";
import { ENCODER_TENSORS } from "./encoder-tensors.ts";
import { findEncoderArchitecture } from "./registry.ts";

export interface EncoderGraphOptions {
  readonly folder: string;
  readonly config: ConfigReader;
  /** Of the classification head; null without one. */
  readonly labelCount: number | null;
  readonly dtype: EncoderDtype;
  readonly weightsSha256: string;
  readonly threads: number;
}

export interface OpenedGraph {
  readonly session: EncoderSession;
  /** The longest text that the graph can take; null where it does not say. */
  readonly positions: number | null;
}

/** Encoders read 512 tokens, a few 8192; DeBERTa's graph has a constant for each distance. */
const MOST_POSITIONS = 1 << 17;

/** Outputs that hold what is wanted, in order of preference. */
const outputsOf = (labelCount: number | null): readonly string[] =>
  labelCount === null
    ? [ENCODER_TENSORS.hidden, "token_embeddings", "sentence_embedding"]
    : [ENCODER_TENSORS.logits];

/**
 * Builds the graph of a safetensors checkpoint and opens it.
 * @throws SepError `unsupported-model`, `bad-checkpoint`
 */
export async function openBuiltEncoder({
  folder,
  config: stated,
  labelCount,
  dtype,
  weightsSha256,
  threads,
}: EncoderGraphOptions): Promise<OpenedGraph> {
  const architecture = findEncoderArchitecture(stated);
  const weights = await readWeightIndex(folder);
  checkConfigSizes(stated, weights, { mostPositions: MOST_POSITIONS });
  const config = architecture.readConfig(stated);
  const plain = buildEncoder(architecture, config, weights, { labelCount });
  const quantisation = QUANTISATIONS[dtype];
  const quantised: QuantisedWeights | null = quantisation && {
    quantisation,
    index: await openQuantisedWeights(quantisation, weights, plain.linears, weightsSha256),
  };
  const graph = quantised ? buildEncoder(architecture, config, weights, { labelCount, quantised }) : plain;
  const files = [...weightFiles(weights), ...(quantised ? weightFiles(quantised.index) : [])];
  await using place = await createGraphFolder(graph.model, files);
  const session = await openEncoderSession(place.modelPath, {
    threads,
    outputs: outputsOf(labelCount),
    quantised: quantised !== null,
  });
  return { session, positions: config.maxPositions };
}

/**
 * Opens a model that was exported to ONNX elsewhere.
 * @throws SepError `unsupported-model` if it has other inputs or outputs
 */
export async function openExportedEncoder(
  { folder, labelCount, dtype, threads }: EncoderGraphOptions,
  { files: [model = "", ...data] }: EncoderWeightFiles,
): Promise<OpenedGraph> {
  const options = { threads, outputs: outputsOf(labelCount), quantised: dtype === "int8" };
  const path = join(folder, model);
  if (data.length === 0) return describe(await openEncoderSession(path, options));
  // in the Hugging Face cache both are links to elsewhere, and onnxruntime wants the data beside the model
  const beside = data.map((name) => join(folder, name));
  await using place = await createGraphFolder(await readFile(path), beside);
  return describe(await openEncoderSession(place.modelPath, options));
}

const describe = (session: EncoderSession): OpenedGraph => ({ session, positions: session.fixedLength });
