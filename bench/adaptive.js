// What `--adaptive` saves with the embedded model on the built-in question sets, and whether every question stays on its
// side of the threshold: K answers to each question once, then adaptively against each threshold, in turn.
//
//   npm run bench:adaptive -- [--runs 10 --thresholds 0.35,0.7,1.05,1.4 --limit N --temperature 0.6]
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openModel } from "../dist/checkpoint/load-model.js";
import { computeEntropy } from "../dist/study/entropy/compute-entropy.js";
import { generateRuns } from "../dist/study/sampling/generate-runs.js";
import { prepareQuestions } from "../dist/study/sampling/prepare-questions.js";
import { resolveSampler } from "../dist/study/sampling/resolve-sampler.js";
import { openWorkspace } from "../dist/study/workspace.js";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "10" },
    thresholds: { type: "string", default: "0.35,0.7,1.05,1.4" },
    limit: { type: "string" },
    temperature: { type: "string", default: "0.6" },
  },
});
const runs = Number(values.runs);
const limit = values.limit === undefined ? undefined : Number(values.limit);
const SETS = { math: "arithmetic", ood: "word-problems" };

const folder = mkdtempSync(join(tmpdir(), "bench-adaptive-"));
const model = await finish(openModel("pocket"));
const { settings: sampler } = resolveSampler(model, { temperature: Number(values.temperature) });
try {
  for (const [set, source] of Object.entries(SETS)) {
    const full = await draw(set, source, undefined);
    console.log(`\n${source}: ${full.entropy.size} questions, K = ${runs}, all drawn in ${full.seconds} s`);
    console.log("threshold  above  answers  saved  tokens saved  seconds  decisions that differ");
    for (const threshold of values.thresholds.split(",").map(Number)) {
      const adaptive = await draw(set, source, { seThreshold: threshold });
      const above = [...full.entropy.values()].filter((entropy) => entropy > threshold).length;
      const differing = [...full.entropy].filter(
        ([id, entropy]) => entropy > threshold !== adaptive.entropy.get(id) > threshold,
      ).length;
      const other = [...adaptive.lines].filter((line) => !full.lines.has(line)).length;
      if (other > 0) throw new Error(`${other} answers are not among those drawn without --adaptive`);
      const saved = (of) => `${(100 * (1 - adaptive[of] / full[of])).toFixed(1)}%`;
      console.log(
        String(threshold).padStart(9),
        String(above).padStart(6),
        String(adaptive.answers).padStart(8),
        saved("answers").padStart(6),
        saved("tokens").padStart(13),
        adaptive.seconds.padStart(8),
        String(differing).padStart(22),
      );
    }
  }
} finally {
  await model[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
}

async function draw(set, source, adaptive) {
  const workspace = openWorkspace(mkdtempSync(join(folder, set)));
  await finish(prepareQuestions(workspace, set, { source, limit }));
  const startMs = performance.now();
  const { counts } = await finish(generateRuns(workspace, set, { model, sampler, runs, adaptive }));
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  await finish(computeEntropy(workspace, set));
  const read = (path) => readFileSync(path, "utf8").trimEnd().split("\n");
  const records = read(workspace.semanticEntropy(set)).map((line) => JSON.parse(line));
  return {
    answers: counts.runs,
    tokens: counts.tokens,
    seconds,
    lines: new Set(read(workspace.runs(set))),
    entropy: new Map(records.map((record) => [record.question_id, record.discrete_semantic_entropy])),
  };
}

async function finish(generator) {
  for (;;) {
    const { done, value } = await generator.next();
    if (done) return value;
  }
}
