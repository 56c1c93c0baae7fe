// Probes of every layer and two targets: 5 folds by question, 7 values of C, standardised inside each fold, the best
// refitted; and 1000 label permutations, each refitted. Ours against scikit-learn as a user writes it, once as it comes
// and once told to find the same optimum, and all against a converged float64 reference. The sides take turns; each is
// a process of its own.
//
//   npm run bench:probes -- --python PYTHON-WITH-SCIKIT-LEARN-AND-SAFETENSORS [--workloads A,B,C] [--rounds N]
//     [--sklearn-layers N]      layers that scikit-learn fits in each round, its time extrapolated linearly to all
//     [--sklearn-permutations N] the same for its permutations; 0 leaves the permutation test out
//     [--ways float32:1e-4,float64:1e-7]  how scikit-learn is asked: arithmetic and tolerance. The first as it comes; the
//                               second is the loosest way it has to coefficients within 1e-4 of the optimum and AUROCs
//                               within 1e-3, weak penalties included
//     [--data FOLDER]           where synthetic data is made (A 45 MB, B 0.8 GB, C 2.7 GB), and kept if given
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    workloads: { type: "string", default: "A,B,C" },
    rounds: { type: "string", default: "1" },
    "sklearn-layers": { type: "string" },
    "sklearn-permutations": { type: "string", default: "4" },
    ways: { type: "string", default: "float32:1e-4,float64:1e-7" },
    data: { type: "string" },
  },
});
const WORKLOADS = {
  A: { rows: 500, width: 896, layers: 25, sklearnLayers: 25 },
  B: { rows: 2000, width: 2560, layers: 37, sklearnLayers: 2 },
  C: { rows: 5000, width: 4096, layers: 33, sklearnLayers: 1 },
};
const PENALTIES = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100];
const WAYS = values.ways.split(",").map((way) => {
  const [dtype, tol] = way.split(":");
  return { dtype, tol: Number(tol) };
});
const PERMUTATIONS = 1000;
const FOLDS = 5;
/** Layers whose optimum is computed: exact solves of every fold and C take minutes. */
const CHECKED_LAYERS = 2;

const folder = values.data ?? mkdtempSync(join(tmpdir(), "bench-probes-"));
mkdirSync(folder, { recursive: true });
try {
  for (const name of values.workloads.split(",")) await compare(name);
} finally {
  if (values.data === undefined) rmSync(folder, { recursive: true, force: true });
}

async function compare(name) {
  const { rows, width, layers, sklearnLayers } = WORKLOADS[name];
  const data = join(folder, `${name}-${rows}x${width}x${layers}.safetensors`);
  if (!existsSync(data)) runPython("make_data.py", [data, rows, width, layers].map(String));
  const some = Math.min(layers, Number(values["sklearn-layers"] ?? sklearnLayers));
  // spread over the depth, where the signal is weak and where it is strong
  const shared = Array.from({ length: some }, (_, i) => Math.floor(((i + 0.6) * layers) / some));
  console.log(`${name}: ${rows} rows, width ${width}, ${layers} layers; scikit-learn on ${some} of them`);
  const ours = [];
  const theirs = WAYS.map(() => []);
  for (let round = 0; round < Number(values.rounds); round++) {
    ours.push(runOurs({ data, penalties: PENALTIES, coefficientsOf: shared }));
    WAYS.forEach((way, w) => {
      theirs[w].push(runSklearn({ data, penalties: PENALTIES, layers: shared, permutations: 0, ...way }));
    });
  }
  const own = median(ours.map(({ seconds }) => seconds));
  console.log(`  ours: ${own.toFixed(1)} s, peak ${peakOf(ours)} MB`);
  WAYS.forEach((way, w) => {
    const seconds = (median(theirs[w].map((run) => run.seconds)) * layers) / some;
    const how = some < layers ? ` (extrapolated from ${some} layers)` : "";
    console.log(
      `  ${nameOf(way)}: ${seconds.toFixed(1)} s${how}, peak ${peakOf(theirs[w])} MB: ratio ${(seconds / own).toFixed(1)}`,
    );
  });
  checkAgreement(data, [
    ["ours", ours[0].probes],
    ...WAYS.map((way, w) => [nameOf(way), theirs[w][0].probes]),
  ]);
  if (name === "B" && Number(values["sklearn-permutations"]) > 0) comparePermutations(data, ours[0].probes);
}

function nameOf({ dtype, tol }) {
  return `scikit-learn, ${dtype}, tol = ${tol}`;
}

/** Every side against the optimum, on some of the layers that all fitted. */
function checkAgreement(data, sides) {
  const shared = [...new Set(sides.at(-1)[1].map(({ layer }) => layer))];
  const layers = shared.slice(Math.floor(shared.length / 2)).slice(0, CHECKED_LAYERS);
  const { probes: exact } = runPython("reference.py", [writeJob({ data, layers, penalties: PENALTIES })]);
  for (const [name, probes] of sides) {
    const pairs = exact.map((probe) => ({
      exact: probe,
      own: probes.find(({ layer, target }) => layer === probe.layer && target === probe.target),
    }));
    const same = pairs.filter(({ exact, own }) => exact.C === own.C);
    const areas = pairs.flatMap(({ exact, own }) =>
      own.auroc.map((area, i) => Math.abs(area - exact.auroc[i])),
    );
    const errors = same.map(({ exact, own }) => distance(own.coefficients, exact.coefficients));
    console.log(
      `  ${name} against converged float64: same C in ${same.length} of ${pairs.length} probes, AUROC out of fold within ${Math.max(...areas).toExponential(1)}, coefficients within ${Math.max(...errors).toExponential(1)}`,
    );
  }
}

function comparePermutations(data, probes) {
  const candidates = probes.filter(({ target }) => target === "incorrect");
  const best = candidates.reduce((most, probe) =>
    Math.max(...probe.auroc) > Math.max(...most.auroc) ? probe : most,
  );
  const { layer, C } = best;
  const count = Number(values["sklearn-permutations"]);
  const ours = runOurs({ data, layer, C, permutations: PERMUTATIONS });
  const theirs = runSklearn({ data, layer, C, permutations: count, ...WAYS[0] });
  // permutation_test_score fits the true labels besides
  const other = (theirs.seconds * PERMUTATIONS) / (count + 1);
  const tested = ours.marks.filter(({ kind }) => kind === "permuted");
  const fitted = ours.marks.findLast(({ kind }) => kind === "fitted").ms;
  const onLayer = (tested[FOLDS - 1].ms - fitted) / 1000;
  const overLayers = (tested.at(-1).ms - tested[FOLDS - 1].ms) / 1000;
  const { chosen, best_of_all } = ours.probes[0].permutation;
  console.log(
    `  ${PERMUTATIONS} permutations refitted on layer ${layer}, C = ${C}: ours ${onLayer.toFixed(1)} s, scikit-learn ${other.toFixed(0)} s (extrapolated from ${count}): ratio ${(other / onLayer).toFixed(0)}`,
  );
  console.log(
    `    AUROC ${chosen.auroc.toFixed(4)}, p = ${chosen.p_value.toFixed(4)}; best of all layers, by ridge: ${best_of_all.auroc.toFixed(4)}, p = ${best_of_all.p_value.toFixed(4)}, ${overLayers.toFixed(1)} s more, peak ${peakOf([ours])} MB`,
  );
}

function runOurs(job) {
  return runJson(process.execPath, [script("ours.js"), writeJob(job)]);
}

function runSklearn(job) {
  return runPython("sklearn_probes.py", [writeJob(job)]);
}

function runPython(name, args) {
  return runJson(values.python, [script(name), ...args]);
}

function runJson(command, args) {
  const options = { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 2 ** 30 };
  const last = execFileSync(command, args, options).trim().split("\n").at(-1);
  return last ? JSON.parse(last) : null;
}

function script(name) {
  return fileURLToPath(new URL(`probes/${name}`, import.meta.url));
}

function writeJob(job) {
  const path = join(folder, "job.json");
  writeFileSync(path, JSON.stringify(job));
  return path;
}

function distance(found, exact) {
  const norm = (numbers) => Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0));
  return norm(found.map((value, j) => value - exact[j])) / norm(exact);
}

function peakOf(runs) {
  return (median(runs.map(({ peakRssBytes }) => peakRssBytes)) / 1e6).toFixed(0);
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
