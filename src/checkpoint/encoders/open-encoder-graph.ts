import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildEncoder } from "../../engine/encoders/build-encoder.ts";
import type { EncoderDtype } from "../../engine/encoders/encoder.ts";
import { ENCODER_TENSORS } from "../../engine/encoders/encoder-architecture.ts";
import { type EncoderSession, openEncoderSession } from "../../engine/encoders/encoder-session.ts";
import { findEncoderArchitecture } from "../../engine/encoders/registry.ts";
import { checkConfigSizes } from "../../engine/graph/check-config.ts";
import type { ConfigReader } from "../../engine/graph/config-reader.ts";
import type { QuantisedWeights } from "../../engine/graph/graph-scope.ts";
import { QUANTISATIONS } from "../../engine/graph/parts/quantised-linear.ts";
import { openQuantisedWeights } from "../derived-weights.ts";
import { nodeRuntime } from "../graph-folder.ts";
import { fileSource, readWeightIndex } from "../weight-index.ts";
import type { EncoderWeightFiles } from "./encoder-files.ts";

interface EncoderGraphOptions {
  readonly folder: string;
  readonly config: ConfigReader;
  /** Of the classification head; null without one. */
  readonly labelCount: number | null;
  readonly dtype: EncoderDtype;
  readonly weightsSha256: string;
  readonly threads: number;
}

interface OpenedGraph {
  readonly session: EncoderSession;
  /** The longest text that the graph can take; null if it does not say. */
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
  const session = await openEncoderSession(nodeRuntime, graph.model, {
    shown: folder,
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
  const path = join(folder, model);
  const session = await openEncoderSession(
    nodeRuntime,
    data.length === 0
      ? path
      : { graph: await readFile(path), sources: data.map((name) => fileSource(join(folder, name))) },
    { shown: path, threads, outputs: outputsOf(labelCount), quantised: dtype === "int8" },
  );
  return { session, positions: session.fixedLength };
}
