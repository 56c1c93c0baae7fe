import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openNnsight } from "../dist/backends/nnsight/open-nnsight.js";
import { loadModel } from "../dist/checkpoint/load-model.js";
import { everyLayer } from "../dist/engine/resolve-layers.js";
import { readSafetensorsHeader, readTensor } from "../dist/store/safetensors.js";

// How far the local engine's residual streams are from other backends', all layers and all positions: the largest
// difference relative to the largest value of all, and in the layer where it is worst relative to that layer's largest
// value. Prints the tables of docs/appendix/agreement.md.
//
//   npm run bench:agreement -- --python PATH [--dtype bfloat16] [MODEL ...]   nnsight: the embedded model, the
//                                                    checkpoints of test/golden, and the folders that are named
//   npm run bench:agreement -- --states FILE MODEL   a file that vLLM's ExampleHiddenStatesConnector wrote

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: "string" },
    dtype: { type: "string", default: "float32" },
    states: { type: "string" },
  },
});

const TEXT =
  "Question: Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. " +
  "How many clips did Natalia sell altogether in April and May?\nAnswer: In May she sold 48 / 2 = 24 clips.";
const checkpoints = fileURLToPath(new URL("../test/golden/checkpoints/", import.meta.url));

if (values.states === undefined) await compareWithNnsight();
else await compareWithFile(values.states, positionals[0] ?? "pocket");

async function compareWithNnsight() {
  const golden = readdirSync(checkpoints).map((name) => `${checkpoints}${name}`);
  let versions;
  let worst = 0;
  console.log(
    "| checkpoint | class of transformers | its blocks | blocks | tokens | difference | in the worst layer |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- |");
  for (const path of ["pocket", ...golden, ...positionals]) {
    const model = await loadModel(path);
    const tokenIds = await tokensOf(path, model);
    const { opened, notes } = await drain(
      openNnsight(path, { python: values.python, device: "cpu", dtype: values.dtype }),
    );
    const layers = everyLayer(model.config);
    const expected = await readLocally(model, tokenIds, layers);
    const { opened: reader } = await drain(opened.states.openReader(1));
    // one token for a prompt, all others for an answer to it
    const { beforeGeneration, answers } = await reader.read(
      tokenIds.slice(0, 1),
      [{ tokenIds: tokenIds.slice(1), indices: tokenIds.slice(1).map((_, i) => i + 1) }],
      { layers },
    );
    const got = [beforeGeneration, ...answers[0]];
    const { all, worstLayer } = largestDifferences(got, expected, layers.length);
    worst = Math.max(worst, worstLayer);
    versions = notes.at(-1);
    const cells = [
      path.split("/").at(-1),
      ...describe(notes),
      layers.length - 1,
      tokenIds.length,
      all.toExponential(1),
      worstLayer.toExponential(1),
    ];
    console.log(`| ${cells.join(" | ")} |`);
    await reader[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
    await model[Symbol.asyncDispose]();
  }
  console.log(`\nworst: ${worst.toExponential(1)}; ${versions}`);

  function describe(notes) {
    const [, architecture] = /^(\w+) in/.exec(notes.at(-1)) ?? [];
    const [, blocks] = /blocks at ([\w.]+)/.exec(notes.at(-1)) ?? [];
    return [architecture, `\`${blocks}\``];
  }
}

async function compareWithFile(file, reference) {
  const model = await loadModel(reference);
  const { tensors } = await readSafetensorsHeader(file);
  const tokenIds = [...(await readTensor(file, tensors.get("token_ids")))];
  const states = tensors.get("hidden_states");
  const layers = everyLayer(model.config);
  const values = await readTensor(file, states);
  const size = layers.length * model.config.hiddenSize;
  const got = tokenIds.map((_, row) => values.subarray(row * size, (row + 1) * size));
  const { all, worstLayer } = largestDifferences(
    got,
    await readLocally(model, tokenIds, layers),
    layers.length,
  );
  const [ofAll, ofWorst] = [all, worstLayer].map((each) => each.toExponential(1));
  console.log(
    `${reference}: ${states.dtype} [${states.shape}]: difference ${ofAll}, in the worst layer ${ofWorst}`,
  );
  await model[Symbol.asyncDispose]();
}

/** [layers, D] of each token. */
async function readLocally(model, tokenIds, layers) {
  const { residuals } = await model.trace(tokenIds, { layers });
  const size = layers.length * model.config.hiddenSize;
  return tokenIds.map((_, row) => residuals.subarray(row * size, (row + 1) * size));
}

/** Of all layers, and of the layer where it is worst: the largest difference by the largest value. */
function largestDifferences(got, expected, layerCount) {
  const width = expected[0].length / layerCount;
  const [all, ofLayer] = [
    { error: 0, scale: 0 },
    { error: 0, scale: 1 },
  ];
  for (let layer = 0; layer < layerCount; layer++) {
    let [error, scale] = [0, 0];
    for (const [row, state] of expected.entries()) {
      for (let i = layer * width; i < (layer + 1) * width; i++) {
        error = Math.max(error, Math.abs(got[row][i] - state[i]));
        scale = Math.max(scale, Math.abs(state[i]));
      }
    }
    if (error / scale > ofLayer.error / ofLayer.scale) Object.assign(ofLayer, { error, scale });
    all.error = Math.max(all.error, error);
    all.scale = Math.max(all.scale, scale);
  }
  return { all: all.error / all.scale, worstLayer: ofLayer.error / ofLayer.scale };
}

async function tokensOf(path, model) {
  if (!path.startsWith(checkpoints)) return model.tokenizer.encode(TEXT, { specialTokens: false });
  const file = path.replace("checkpoints/", "decoder-").concat(".safetensors");
  const { tensors } = await readSafetensorsHeader(file);
  return [...(await readTensor(file, tensors.get("token_ids")))];
}

async function drain(opening) {
  const notes = [];
  for (;;) {
    const next = await opening.next();
    if (next.done) return { opened: next.value, notes };
    if (next.value.kind === "note") notes.push(next.value.message);
  }
}
