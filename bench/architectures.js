import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadModel } from "../dist/checkpoint/load-model.js";
import { extendRows } from "../dist/engine/generate/extend-rows.js";
import { joinTokens } from "../dist/engine/layer-states.js";
import { everyLayer } from "../dist/engine/resolve-layers.js";
import { emptyKvBlock } from "../dist/engine/session/kv-block.js";
import { readSafetensorsHeader, readTensor } from "../dist/store/safetensors.js";

// How far the local engine is from Python transformers on the checkpoints of test/golden, architecture by architecture:
// the largest difference over all layers and positions read, relative to the largest value, over several ways to cut
// the text into passes. Prints the table of docs/architectures.md.
//
//   npm run bench:architectures

/** One piece, chunks that do and do not fit the cache's capacity, and token by token. */
const CHUNKS = [1024, 256, 100, 1];
const golden = (name) => fileURLToPath(new URL(`../test/golden/${name}`, import.meta.url));

async function readTensors(path) {
  const { tensors } = await readSafetensorsHeader(path);
  const read = {};
  for (const [name, entry] of tensors) read[name] = await readTensor(path, entry);
  return read;
}

function relativeError(got, expected) {
  let error = 0;
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    error = Math.max(error, Math.abs(got[i] - expected[i]));
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return error / scale;
}

async function measure(name) {
  const model = await loadModel(golden(`checkpoints/${name}`));
  const { config, session } = model;
  const expected = await readTensors(golden(`decoder-${name}.safetensors`));
  const places = [...expected.positions].map((offset) => ({ row: 0, offset }));
  const errors = { residuals: 0, final_norm: 0, logits: 0 };
  for (const chunkTokens of CHUNKS) {
    const result = await extendRows(session, [[...expected.token_ids]], {
      prefix: emptyKvBlock(config, 1),
      suffix: emptyKvBlock(config, 1),
      predict: places,
      trace: places,
      layers: everyLayer(config),
      finalNorm: true,
      chunkTokens,
    });
    const got = {
      residuals: joinTokens(result.residuals, config.hiddenSize),
      final_norm: result.finalNorms,
      logits: result.logits,
    };
    for (const key of Object.keys(errors)) {
      errors[key] = Math.max(errors[key], relativeError(got[key], expected[key]));
    }
  }
  await model[Symbol.asyncDispose]();
  return { modelType: config.modelType, ...errors };
}

console.log("| checkpoint | model_type | residuals | after final norm | logits |");
console.log("| --- | --- | --- | --- | --- |");
let worst = 0;
for (const name of readdirSync(golden("checkpoints"))) {
  const { modelType, residuals, final_norm, logits } = await measure(name);
  worst = Math.max(worst, residuals, final_norm, logits);
  const cells = [residuals, final_norm, logits].map((error) => error.toExponential(1));
  console.log(`| ${name} | ${modelType} | ${cells.join(" | ")} |`);
}
console.log(`\nworst: ${worst.toExponential(1)}`);
