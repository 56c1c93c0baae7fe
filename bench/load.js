// How long models take to load and how much memory they take, each time in a process of its own: the first load (the
// weights' files are not in memory and nothing is in this tool's cache) and the ones after it, then K samples of some
// questions. Linux.
//
//   npm run bench:load [-- --models pocket,SmolLM2.gguf,random-qwen3-0.6b --dtypes float32,int8 --repeats N --folder DIR]
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findCheckpoint } from "../dist/checkpoint/find-checkpoint.js";
import { QWEN3_06B, writeRandomQwen3 } from "./load/random-qwen3.js";

const { values } = parseArgs({
  options: {
    models: { type: "string", default: "pocket,random-qwen3-0.6b" },
    dtypes: { type: "string", default: "float32,int8,int4" },
    repeats: { type: "string", default: "3" },
    questions: { type: "string", default: "16" },
    samples: { type: "string", default: "10" },
    "new-tokens": { type: "string", default: "16" },
    /** Where random checkpoints are written; kept if named. */
    folder: { type: "string" },
  },
});

const folder = values.folder ?? mkdtempSync(join(tmpdir(), "bench-load-"));
const cache = join(folder, "cache");
const measure = fileURLToPath(new URL("load/measure.js", import.meta.url));
process.env.SEP_CACHE = cache;
const header =
  "model                        dtype     params   first s   next s   copies   sampling MiB   B/param   peak MiB   B/param   tok/s";
console.log(`node ${process.version}, ${values.questions} questions, K = ${values.samples}\n${header}`);
try {
  for (const name of values.models.split(",")) {
    const reference = name === "random-qwen3-0.6b" ? await randomCheckpoint() : name;
    const { parameters, files } = await describe(reference);
    for (const dtype of values.dtypes.split(",")) {
      rmSync(cache, { recursive: true, force: true });
      for (const file of files) forget(file);
      const first = run(reference, dtype, { samples: 1, questions: 1 });
      const next = Array.from({ length: Number(values.repeats) }, () => run(reference, dtype));
      const of = (key) => median(next.map((result) => result[key]));
      const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(0);
      const perParameter = (bytes) => (bytes / parameters).toFixed(2);
      console.log(
        [
          basename(name).slice(0, 28).padEnd(28),
          dtype.padEnd(7),
          `${(parameters / 1e6).toFixed(1)}M`.padStart(8),
          (first.loadMs / 1000).toFixed(1).padStart(9),
          (of("loadMs") / 1000).toFixed(1).padStart(8),
          String(next[0].copies).padStart(8),
          mebibytes(of("sampledRssBytes")).padStart(14),
          perParameter(of("sampledRssBytes")).padStart(9),
          mebibytes(of("peakRssBytes")).padStart(10),
          perParameter(of("peakRssBytes")).padStart(9),
          ((next[0].tokens / of("sampleMs")) * 1000).toFixed(0).padStart(7),
        ].join(" "),
      );
    }
  }
} finally {
  rmSync(values.folder === undefined ? folder : cache, { recursive: true, force: true });
}

async function randomCheckpoint() {
  const path = join(folder, "random-qwen3-0.6b");
  if (!existsSync(join(path, "model.safetensors"))) await writeRandomQwen3(path, QWEN3_06B);
  return path;
}

/** Numbers in all weights, and the files that hold them. */
async function describe(reference) {
  const { path, weights } = await findCheckpoint(reference);
  const parameters = [...weights.values()]
    .map(({ shape }) => shape.reduce((product, extent) => product * extent, 1))
    .reduce((sum, count) => sum + count, 0);
  const files = statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path];
  return { parameters, files: files.filter((file) => statSync(file).isFile()) };
}

/** Drops a file's pages from memory. */
function forget(file) {
  execFileSync("dd", [`if=${file}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
}

function run(reference, dtype, { samples = values.samples, questions = values.questions } = {}) {
  const args = [measure, reference, dtype, questions, samples, values["new-tokens"]].map(String);
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }).trim().split("\n").at(-1));
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
