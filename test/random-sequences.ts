import { spawn } from "node:child_process";
import { appendFile, copyFile, mkdir, mkdtemp, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModel } from "../src/checkpoint/load-model.ts";
import type { SamplerSettings } from "../src/engine/generate/sampler-settings.ts";
import type { TracePosition } from "../src/engine/places.ts";
import { createRng, type Rng } from "../src/math/rng.ts";
import { fingerprintFile } from "../src/store/fingerprint.ts";
import { readManifest } from "../src/store/manifest.ts";
import { manifestPathOf } from "../src/store/output-ownership.ts";
import { fileExists } from "../src/store/read-file.ts";
import { inspectStudy, listChain, openChain } from "../src/study/chain.ts";
import { computeEntropy } from "../src/study/entropy/compute-entropy.ts";
import { resolveSampler } from "../src/study/sampling/resolve-sampler.ts";
import type { EquivalenceName } from "../src/study/settings/meaning.ts";
import { buildDatasets } from "../src/study/steps/build-datasets.ts";
import { type EvaluateProbesOptions, evaluateProbes } from "../src/study/steps/evaluate-probes.ts";
import { generateRuns } from "../src/study/steps/generate-runs.ts";
import { traceRuns } from "../src/study/steps/trace-runs.ts";
import { type TrainProbesOptions, trainProbes } from "../src/study/steps/train-probes.ts";
import { type DataSetName, openWorkspace, SPLIT_SOURCES, type Workspace } from "../src/study/workspace.ts";
import { finishStep } from "./fakes/finish-step.ts";

const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** What a sequence came to. */
export interface SequenceOutcome {
  /** One a command or disturbance, with what came of it. */
  readonly log: readonly string[];
  /** How often an evaluation that the command reported as done was compared with a clean run. */
  readonly compared: number;
  readonly refused: number;
  readonly killed: number;
}

/** Refusals that name their reason; anything else is a fault. */
const REFUSALS: readonly string[] = [
  "stale-input",
  "output-differs",
  "missing-input",
  "bad-artifact",
  "bad-question-file",
  "too-few-questions",
  "one-class",
];

/**
 * Commands in any order and with any options, some of them killed, some with a file edited or deleted before them.
 * Whenever an evaluation is reported as done, every file that it rests on must be, byte for byte, what a clean run with
 * the same settings makes; and every other end of a command must be a refusal that names its reason.
 * @throws Error with the log of the sequence where that does not hold
 */
export async function runSequence(
  seed: number,
  { commands, oracle }: { readonly commands: number; readonly oracle: CleanRuns },
): Promise<SequenceOutcome> {
  const rng = createRng("sequence", seed);
  const root = await mkdtemp(join(tmpdir(), "sep-sequence-"));
  const workspace = openWorkspace(root);
  const log: string[] = [];
  const counts = { compared: 0, refused: 0, killed: 0 };
  const fail = (what: string): never => {
    throw new Error(`sequence ${seed}: ${what}\n${log.join("\n")}`);
  };
  const step = async (args: readonly string[], killAfterMs: number | null): Promise<void> => {
    const { code, stderr } = await runCommand([...args, "--out", root], killAfterMs);
    const found = /\[([a-z-]+); see docs\/errors\.md\]/.exec(stderr)?.[1];
    log.push(
      `sep ${args.join(" ")} -> ${code === null ? "killed" : found === undefined ? code : `${code} ${found}`}`,
    );
    if (code === null) {
      counts.killed += 1;
      return;
    }
    if (code !== 0) {
      if (found === undefined || !REFUSALS.includes(found)) fail(`ended with ${code}: ${stderr}`);
      counts.refused += 1;
      return;
    }
    if (args[0] !== "eval" && args[0] !== "run") return;
    const differing = await oracle.compare(workspace);
    if (differing.length > 0) fail(`not what a clean run makes: ${differing.join(", ")}`);
    counts.compared += 1;
  };
  try {
    // from something to something: what comes between is what is tried
    await step(["run", ...sample(rng, RUN_OPTIONS)], null);
    for (let i = 0; i < commands; i++) {
      if (rng.next() < 0.25) log.push(await disturb(workspace, rng));
      const [name, options] = pick(rng, STEPS);
      const killAfterMs = rng.next() < 0.25 ? 300 + rng.integer(2_500) : null;
      await step([name, ...sample(rng, options)], killAfterMs);
    }
    await step(["eval"], null);
    await step(["run", ...sample(rng, RUN_OPTIONS)], null);
    return { log, ...counts };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

type Choices = readonly (readonly (readonly string[])[])[];

/** Little work a command, and two of everything that makes a difference. */
const LIMIT = [
  ["--limit", "16"],
  ["--limit", "20"],
];
const DRAW: Choices = [
  [
    ["--runs", "3"],
    ["--runs", "4"],
  ],
  [
    ["--temperature", "0.6"],
    ["--temperature", "0.6"],
    ["--temperature", "1"],
  ],
  [["--max-new-tokens", "60"]],
];
const FORCE = [[], [], ["--force"]];
const RELATION = [
  ["--equivalence", "math"],
  ["--equivalence", "exact"],
];
const PLACES = [
  ["--positions", "all"],
  ["--positions", "last-token,second-to-last"],
];
const PLACE = [
  ["--position", "last-token"],
  ["--position", "second-to-last"],
];
const SEED = [
  ["--seed", "1"],
  ["--seed", "2"],
];
const C = [
  ["--c", "1"],
  ["--c", "0.1"],
];
const RUN_OPTIONS: Choices = [LIMIT, ...DRAW, RELATION, PLACES, PLACE, C, FORCE];
const STEPS: readonly (readonly [string, Choices])[] = [
  ["prepare", [LIMIT, FORCE]],
  ["generate", [...DRAW, FORCE]],
  ["generate", [...DRAW, [["--set", "math"]], FORCE]],
  ["entropy", [RELATION, FORCE]],
  ["trace", [PLACES, FORCE]],
  ["dataset", [PLACE, SEED, FORCE]],
  ["train", [C, FORCE]],
  ["eval", []],
  ["report", []],
  ["run", RUN_OPTIONS],
];

const pick = <T>(rng: Rng, items: readonly T[]): T => items[rng.integer(items.length)] as T;
const sample = (rng: Rng, choices: Choices): string[] => choices.flatMap((choice) => pick(rng, choice));

/** What people do to the files of a study between its steps. */
async function disturb(workspace: Workspace, rng: Rng): Promise<string> {
  const files = await inspectStudy(workspace);
  if (files.length === 0) return "(nothing to disturb)";
  const { path } = pick(rng, files);
  const name = relative(workspace.root, path);
  switch (rng.integer(3)) {
    case 0:
      await rm(path);
      return `rm ${name}`;
    case 1:
      await appendFile(path, "\n");
      return `edit ${name}`;
    default:
      await truncate(path, Math.floor((await readFile(path)).length / 2));
      return `cut ${name}`;
  }
}

function runCommand(
  args: readonly string[],
  killAfterMs: number | null,
): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const child = spawn(process.execPath, [SEP, ...args, "--quiet"], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const timer = killAfterMs === null ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stderr });
    });
  });
}

/** Clean runs to compare with, each made once. */
export interface CleanRuns extends AsyncDisposable {
  /** @returns names of files behind the evaluation that differ from those of a clean run with the same settings */
  compare(workspace: Workspace): Promise<readonly string[]>;
}

export async function openCleanRuns(): Promise<CleanRuns> {
  const model = await loadModel("pocket", { threads: 1 });
  const root = await mkdtemp(join(tmpdir(), "sep-clean-"));
  const made = new Map<string, Workspace>();

  async function makeClean(workspace: Workspace): Promise<Workspace> {
    const settings = await readSettings(workspace);
    const raws = await Promise.all(SPLIT_SOURCES.map((set) => fingerprintFile(workspace.raw(set))));
    const key = JSON.stringify([raws, settings]);
    const known = made.get(key);
    if (known !== undefined) return known;
    const clean = openWorkspace(join(root, String(made.size)));
    made.set(key, clean);
    for (const set of SPLIT_SOURCES) {
      await mkdir(dirname(clean.raw(set)), { recursive: true });
      await copyFile(workspace.raw(set), clean.raw(set));
      const { generate, entropy, trace } = settings[set];
      // as the command resolves it, since a manifest has its keys in another order
      const { settings: sampler, sources } = resolveSampler(model, {
        ...generate.sampler,
        stop: generate.sampler.stopStrings,
      });
      await finishStep(generateRuns(clean, set, { ...generate, model, sampler, samplerSources: sources }));
      await finishStep(computeEntropy(clean, set, { equivalence: entropy.equivalence.name }));
      await finishStep(traceRuns(clean, set, { model, positions: trace.positions }));
    }
    const { position, layer, seed } = settings.dataset;
    await finishStep(buildDatasets(clean, { position, layer, seed }));
    await finishStep(trainProbes(clean, { ...settings.train, c: settings.train.C }));
    await finishStep(evaluateProbes(clean, settings.eval));
    return clean;
  }

  return {
    async compare(workspace) {
      const chain = listChain([await openChain().inspect(workspace.probeEval)]);
      const clean = await makeClean(workspace);
      const differing: string[] = [];
      for (const { path, state } of chain) {
        if (state === "missing") continue; // nothing rests on it any more
        const name = relative(workspace.root, path);
        const other = join(clean.root, name);
        const same =
          (await fileExists(other)) && (await fingerprintFile(other)) === (await fingerprintFile(path));
        if (!same) differing.push(name);
      }
      return differing;
    },
    async [Symbol.asyncDispose]() {
      await model[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** What the manifests of a study say of how it was made, as far as the commands here vary it. */
interface StudySettings extends Readonly<Record<DataSetName, SetSettings>> {
  readonly dataset: {
    readonly position: TracePosition;
    readonly layer: number | "last";
    readonly seed: number;
  };
  /** A manifest says `C`, as scikit-learn does. */
  readonly train: TrainProbesOptions & { readonly C: number | "cv" };
  readonly eval: EvaluateProbesOptions;
}

interface SetSettings {
  readonly generate: { readonly runs: number; readonly sampler: SamplerSettings; readonly seed: number };
  readonly entropy: { readonly equivalence: { readonly name: EquivalenceName } };
  readonly trace: { readonly positions: readonly TracePosition[] };
}

async function readSettings(workspace: Workspace): Promise<StudySettings> {
  const read = async <T>(path: string, keys: readonly (keyof T & string)[]): Promise<T> => {
    const settings = (await readManifest(manifestPathOf(path)))?.settings ?? {};
    return Object.fromEntries(keys.map((key) => [key, settings[key]])) as T;
  };
  const readSet = async (set: DataSetName): Promise<SetSettings> => ({
    generate: await read(workspace.runs(set), ["runs", "sampler", "seed"]),
    entropy: await read(workspace.semanticEntropy(set), ["equivalence"]),
    trace: await read(workspace.hiddenStates(set), ["positions"]),
  });
  return {
    math: await readSet("math"),
    ood: await readSet("ood"),
    dataset: await read(workspace.probeDataset("math_train"), ["position", "layer", "seed"]),
    train: await read(workspace.accuracyProbe, ["C", "seThreshold", "layer", "seed"]),
    eval: await read(workspace.probeEval, ["resamples", "permutations", "seed"]),
  };
}
