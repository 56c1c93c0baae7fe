/**
 * What quantised linear layers would bring the browser page: a pass of one row and of ten with onnxruntime-web in Node, for
 * the embedded model and for a Llama of 47 million parameters, whose weights are random.
 *
 *   npm run bench:page-dtypes
 */
import { readFile } from "node:fs/promises";
import { extendRows } from "../dist/engine/generate/extend-rows.js";
import { buildDecoder } from "../dist/engine/graph/build-decoder.js";
import { QUANTISATIONS } from "../dist/engine/graph/parts/quantised-linear.js";
import { memorySource } from "../dist/engine/graph/weights.js";
import { readWeights } from "../dist/engine/model-files.js";
import { openOrtWeb } from "../dist/engine/runtime/ort-web.js";
import { openDecoderSession } from "../dist/engine/session/decoder-session.js";
import { emptyKvBlock } from "../dist/engine/session/kv-block.js";
import { encodeSafetensors } from "../dist/formats/encode-safetensors.js";
import { decodeTensor, encodeTensor } from "../dist/formats/tensor-bytes.js";
import { createRng } from "../dist/math/rng.js";

const PASSES = 25;
const PROMPT = Array.from({ length: 32 }, (_, at) => at);

const runtime = await openOrtWeb();
const pocket = (name) => readFile(new URL(`../models/pocket/${name}`, import.meta.url));
await measure("pocket", await pocket("config.json"), await pocket("model.safetensors"));
await measure("47 million parameters", ...randomLlama({ width: 576, blocks: 12, inner: 1536, tokens: 8192 }));

async function measure(name, config, bytes) {
  const files = { config, weights: [memorySource("model.safetensors", bytes)] };
  const { weights, architecture, config: decoder } = await readWeights(runtime, files);
  const plain = buildDecoder(architecture, decoder, weights);
  for (const [dtype, quantisation] of Object.entries(QUANTISATIONS)) {
    const quantised = quantisation && {
      quantisation,
      index: await quantise(quantisation, weights, plain.linears),
    };
    const { model } = quantised ? buildDecoder(architecture, decoder, weights, { quantised }) : plain;
    const session = await openDecoderSession(runtime, model, decoder, {
      threads: 1,
      embeddingTable: plain.embeddingTable,
    });
    for (const rows of [1, 10])
      console.log(`${name}, ${dtype}, ${rows} row(s): median ${await timePasses(session, decoder, rows)} ms`);
    await session[Symbol.asyncDispose]();
  }
}

async function quantise({ formatOf }, weights, linears) {
  const index = new Map();
  for (const linear of linears) {
    const { source, dtype, byteOffset, byteLength } = weights.get(linear.name);
    const stored = (await source.readAll()).slice(byteOffset, byteOffset + byteLength);
    const format = formatOf(linear);
    const parts = format.quantise(decodeTensor(stored, dtype), linear);
    for (const [at, spec] of format.tensors(linear).entries()) {
      const source = memorySource(spec.name, encodeTensor(parts[at], spec.dtype));
      index.set(spec.name, { ...spec, source, byteOffset: 0, byteLength: parts[at].byteLength });
    }
  }
  return index;
}

async function timePasses(session, config, rows) {
  const empty = emptyKvBlock(config, 1);
  const asked = { trace: [], layers: [] };
  const { suffix: prefix } = await extendRows(session, [PROMPT], {
    ...asked,
    prefix: empty,
    suffix: empty,
    predict: [{ row: 0, offset: PROMPT.length - 1 }],
  });
  const tokens = Array.from({ length: rows }, () => [1]);
  const times = [];
  for (let pass = 0; pass < PASSES; pass++) {
    const begun = performance.now();
    await extendRows(session, tokens, {
      ...asked,
      prefix,
      suffix: emptyKvBlock(config, rows),
      predict: tokens.map((_, row) => ({ row, offset: 0 })),
    });
    times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[Math.floor(PASSES / 2)].toFixed(1);
}

/** @returns config.json, and the weights as safetensors */
function randomLlama({ width, blocks, inner, tokens }) {
  const [heads, sharedHeads] = [9, 3];
  const shared = (width * sharedHeads) / heads;
  const block = {
    "self_attn.q_proj": [width, width],
    "self_attn.k_proj": [shared, width],
    "self_attn.v_proj": [shared, width],
    "self_attn.o_proj": [width, width],
    "mlp.gate_proj": [inner, width],
    "mlp.up_proj": [inner, width],
    "mlp.down_proj": [width, inner],
    input_layernorm: [width],
    post_attention_layernorm: [width],
  };
  const shapes = { "model.embed_tokens": [tokens, width], "model.norm": [width] };
  for (let at = 0; at < blocks; at++)
    for (const [name, shape] of Object.entries(block)) shapes[`model.layers.${at}.${name}`] = shape;
  const random = createRng(0);
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const size = shape.reduce((a, b) => a * b);
    const next = shape.length === 1 ? () => 1 : () => (random.next() - 0.5) * 0.08;
    return { name: `${name}.weight`, dtype: "F32", shape, data: Float32Array.from({ length: size }, next) };
  });
  const config = {
    model_type: "llama",
    hidden_size: width,
    num_hidden_layers: blocks,
    intermediate_size: inner,
    vocab_size: tokens,
    num_attention_heads: heads,
    num_key_value_heads: sharedHeads,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    max_position_embeddings: 2048,
    tie_word_embeddings: true,
    hidden_act: "silu",
  };
  return [Buffer.from(JSON.stringify(config)), encodeSafetensors(tensors)];
}
