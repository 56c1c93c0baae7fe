import { readFileSync } from "node:fs";
import { fitProbes } from "../../dist/probes/sweep/fit-probes-node.js";
import { readSafetensorsHeader, readTensor } from "../../dist/store/safetensors.js";

// Our side of bench/probes.js: node bench/probes/ours.js JOB.json; prints one JSON line.
// Job: {"data", "penalties": [..], "layers": how many from the first, "permutations", "C", "layer", "coefficientsOf": [layers]}

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { tensors } = await readSafetensorsHeader(job.data);
const read = async (name) => Uint8Array.from(await readTensor(job.data, tensors.get(name)));
const questions = Array.from(await readTensor(job.data, tensors.get("group")), String);
const folds = { foldOf: await read("fold"), foldCount: 5 };
const targets = { incorrect: { labels: await read("incorrect") }, high: { labels: await read("high") } };
const rows = Int32Array.from(questions.keys());
const features = { path: job.data, stateRows: { "think-end": rows } };

const options = job.permutations
  ? { folds, c: job.C, layer: job.layer, permutations: job.permutations }
  : { folds, c: job.penalties, keep: "every" };
const chosen = job.permutations ? { incorrect: targets.incorrect } : targets;
const startMs = performance.now();
const fitting = fitProbes(features, chosen, questions, options);
const marks = [];
let step = await fitting.next();
for (; !step.done; step = await fitting.next()) {
  marks.push({ kind: step.value.kind, ms: performance.now() - startMs });
}
const seconds = (performance.now() - startMs) / 1000;
const probes = Object.entries(step.value.targets).flatMap(([target, { everywhere, best, permutation }]) =>
  (job.permutations ? [best] : everywhere).map((probe) => ({
    target,
    layer: probe.layer,
    C: probe.C,
    auroc: probe.penaltyScores.map((score) => score.auroc),
    relativeError: probe.relativeError,
    permutation,
    coefficients: job.coefficientsOf?.includes(probe.layer) ? [...probe.weights.coefficients] : [],
  })),
);
console.log(JSON.stringify({ seconds, probes, marks, peakRssBytes: process.resourceUsage().maxRSS * 1024 }));
