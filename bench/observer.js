// How well probes find wrong answers when a model reads what another one wrote, beside baselines that need no probe.
// npm run bench:observer -- --writer MODEL --readers pocket,MODEL [--dataset general] [--limit 300] [--runs 5]
//   [--new-tokens 32] [--layers all] [--equivalence exact] [--out DIR]

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bootstrapInterval, openWorkspace, readRuns, scoreStudy } from "../dist/index.js";
import { rankedAuroc, rankScores } from "../dist/math/auroc.js";

const { values } = parseArgs({
  options: {
    writer: { type: "string", default: "pocket" },
    readers: { type: "string", default: "pocket" },
    dataset: { type: "string", default: "general" },
    limit: { type: "string", default: "300" },
    runs: { type: "string", default: "5" },
    "new-tokens": { type: "string", default: "32" },
    dtype: { type: "string", default: "int8" },
    layers: { type: "string", default: "all" },
    equivalence: { type: "string", default: "exact" },
    out: { type: "string", default: mkdtempSync(join(tmpdir(), "sep-bench-observer-")) },
  },
});
const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

function sep(folder, ...args) {
  const { status } = spawnSync(process.execPath, [MAIN, ...args, "--out", folder, "--quiet"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error(`sep ${args[0]} ended with ${status}`);
}

const written = join(values.out, "written");
sep(written, "prepare", "--dataset", values.dataset, "--ood", "none", "--limit", values.limit);
const sampling = ["--runs", values.runs, "--max-new-tokens", values["new-tokens"], "--dtype", values.dtype];
sep(written, "generate", "--set", "math", "--model", values.writer, "--temperature", "0.7", ...sampling);
sep(written, "entropy", "--set", "math", "--equivalence", values.equivalence);

const mean = (list) => list.reduce((sum, each) => sum + each, 0) / list.length;

/** AUROC for wrong answers on the test split, with an interval over questions. */
function describe(scores, { incorrect, questionGroups }) {
  const rows = [...scores.keys()].filter((row) => !Number.isNaN(scores[row]));
  const take = (list) => rows.map((row) => list[row]);
  const [own, labels, groups] = [take(scores), take(incorrect), take(questionGroups)];
  if (new Set(labels).size < 2) return "one class";
  const ranked = rankScores(own);
  const statistic = (weights) => rankedAuroc(ranked, labels, weights);
  const { estimate, intervals } = bootstrapInterval(groups, statistic);
  const { low, high } = intervals.find(({ level }) => level === 0.95) ?? {};
  return `${estimate.toFixed(2)} (${low?.toFixed(2)} to ${high?.toFixed(2)})`;
}

const columns = [];
for (const reader of values.readers.split(",")) {
  const folder = join(values.out, `read-by-${basename(reader).replace(/[^\w.-]/g, "-")}`);
  cpSync(written, folder, { recursive: true });
  const layers = reader === "pocket" ? "all" : values.layers;
  sep(folder, "trace", "--set", "math", "--observer", reader, "--layers", layers);
  for (const step of ["dataset", "train", "eval"]) sep(folder, step);
  const workspace = openWorkspace(folder);
  const { splits, probes } = await scoreStudy(workspace);
  const { dataset, scores } = splits.find(({ split }) => split === "math_test");
  const { runs } = await readRuns(workspace.runs("math"));
  const runOf = new Map(runs.map((run) => [`${run.question_id} ${run.run_id}`, run]));
  const own = dataset.questionIds.map((id, row) => runOf.get(`${id} ${dataset.runIds[row]}`));
  columns.push({
    reader: basename(reader),
    place: `${probes.accuracy.position}, layer ${probes.accuracy.layer}; SE: layer ${probes.se.layer}`,
    rows: {
      "accuracy probe": describe(scores.accuracyProbe, scores),
      "SE probe": describe(scores.seProbe, scores),
      "semantic entropy": describe(scores.semanticEntropy, scores),
      "discrete semantic entropy": describe(scores.discreteSemanticEntropy, scores),
      "answer length": describe(
        own.map(({ tokens }) => tokens.length),
        scores,
      ),
      "mean log-probability": describe(
        own.map(({ token_logprobs: list }) => -mean(list)),
        scores,
      ),
      "mean token entropy": describe(
        own.map(({ token_entropies: list }) => mean(list)),
        scores,
      ),
    },
    counts: `${new Set(dataset.questionIds).size} questions, ${dataset.questionIds.length} answers, ${(100 * mean([...scores.incorrect])).toFixed(0)}% wrong`,
  });
}
const names = Object.keys(columns[0].rows);
const line = (cells) => `| ${cells.join(" | ")} |`;
console.log(line(["AUROC for wrong answers", ...columns.map(({ reader }) => `read by ${reader}`)]));
console.log(line(["---", ...columns.map(() => "---")]));
for (const name of names) console.log(line([name, ...columns.map(({ rows }) => rows[name])]));
console.log(line(["probes read", ...columns.map(({ place }) => place)]));
console.log(line(["test split", ...columns.map(({ counts }) => counts)]));
const settings = JSON.parse(readFileSync(`${openWorkspace(written).runs("math")}.manifest.json`, "utf8"));
console.log(`\nWritten: ${JSON.stringify(settings.counts)}. Files: ${values.out}`);
