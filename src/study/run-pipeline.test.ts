import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fileExists } from "../store/read-file.ts";
import { planPipeline, type RunPipelineOptions, runPipeline } from "./run-pipeline.ts";
import type { StepEvent } from "./step.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

const STUDY: RunPipelineOptions = {
  limit: 16,
  runs: 3,
  maxNewTokens: 60,
  position: "last-token",
  c: 1,
};

let root: string;
let study: Workspace;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-run-"));
  study = openWorkspace(join(root, "study"));
  await finish(runPipeline(study, STUDY));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("runPipeline refuses before it writes", () => {
  it("fewer questions than were answered", async () => {
    await leavesAsItIs(runPipeline(study, { ...STUDY, limit: 10 }), /answers more than requested/);
  });

  it("other settings of what takes long", async () => {
    await leavesAsItIs(
      runPipeline(study, { ...STUDY, limit: 20, temperature: 1 }),
      /sampler\.temperature was 0\.6 and is now 1/,
    );
  });

  it("to replace a late file that was edited, though all before it is to be made anew", async () => {
    const before = await readFile(study.accuracyProbe);
    await appendFile(study.accuracyProbe, "\n");
    await leavesAsItIs(
      runPipeline(study, { ...STUDY, limit: 20 }),
      /accuracy_probe\.json was edited since it was made/,
    );
    await writeFile(study.accuracyProbe, before);
  });

  it("a model that is not there, a position that is not traced, and a layer that is not", async () => {
    const empty = openWorkspace(join(root, "empty"));
    const options: readonly [RunPipelineOptions, RegExp][] = [
      [{ model: join(root, "no-model") }, /no-model/],
      [{ positions: ["last-token"], position: "think-end" }, /Got position think-end/],
      [{ layers: [0, 2], layer: 1 }, /Got layer 1/],
    ];
    for (const [wrong, message] of options)
      await expect(finish(runPipeline(empty, { ...STUDY, ...wrong }))).rejects.toThrow(message);
    expect(await fileExists(empty.root)).toBe(false);
  });

  async function leavesAsItIs(running: AsyncGenerator<StepEvent, unknown>, message: RegExp): Promise<void> {
    const before = await readStudy();
    await expect(finish(running)).rejects.toThrow(message);
    expect(await readStudy()).toEqual(before);
  }
});

describe("planPipeline", () => {
  it("says what each step would do, and writes nothing", async () => {
    const before = await readStudy();
    const kept = await finish(planPipeline(study, STUDY));
    expect(kept.map(({ action }) => action)).toEqual(Array(12).fill("keep"));
    const more = await finish(planPipeline(study, { ...STUDY, runs: 4, ood: "none" }));
    expect(more.map(({ step, part, action }) => `${step} ${part} ${action}`)).toEqual([
      "prepare math keep",
      "generate math extend",
      "entropy math redo",
      "trace math redo",
      "dataset  redo",
      "train  redo",
      "eval  redo",
      "report  redo",
    ]);
    expect(more[1]?.reasons).toEqual(["runs was 3 and is now 4"]);
    const split = await finish(planPipeline(study, { ...STUDY, splitSeed: 7 }));
    expect(split.filter(({ action }) => action !== "keep").map(({ step }) => step)).toEqual([
      "dataset",
      "train",
      "eval",
      "report",
    ]);
    expect(split.find(({ step }) => step === "dataset")?.reasons).toEqual(["seed was 42 and is now 7"]);
    const repeated = await finish(planPipeline(study, { ...STUDY, seeds: "1,2" }));
    const perSeed = ["dataset make", "train make", "eval make"];
    expect(
      repeated.filter(({ action }) => action !== "keep").map(({ step, action }) => `${step} ${action}`),
    ).toEqual([...perSeed, ...perSeed, "eval make", "report redo"]);
    const sampled = planPipeline(study, { ...STUDY, seed: 7, splitSeed: 42 });
    await expect(finish(sampled)).rejects.toThrow(
      /math_runs\.jsonl was made differently: seed was 42 and is now 7/,
    );
    expect(await readStudy()).toEqual(before);
    const fresh = openWorkspace(join(root, "fresh"));
    const all = await finish(planPipeline(fresh, STUDY));
    expect(new Set(all.map(({ action }) => action))).toEqual(new Set(["make"]));
    expect(await fileExists(fresh.root)).toBe(false);
  });
});

it("leaves an earlier second set out when it is told that there is none", async () => {
  await finish(runPipeline(study, { ...STUDY, ood: "none" }));
  expect(await fileExists(study.probeDataset("ood_test"))).toBe(false);
  expect(JSON.parse(await readFile(study.probeEval, "utf8"))).not.toHaveProperty("ood_test");
});

async function finish<Result>(running: AsyncGenerator<StepEvent, Result>): Promise<Result> {
  for (;;) {
    const next = await running.next();
    if (next.done) return next.value;
  }
}

/** Every file of the study, by its path. */
async function readStudy(): Promise<Record<string, string>> {
  const entries = await readdir(study.root, { recursive: true, withFileTypes: true });
  const files: Record<string, string> = {};
  for (const entry of entries.filter((item) => item.isFile())) {
    const path = join(entry.parentPath, entry.name);
    files[path] = (await readFile(path)).toString("base64");
  }
  return files;
}
