import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { readJsonl, writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { computeEntropy } from "../entropy/compute-entropy.ts";
import type { StepEvent, StepResult } from "../step.ts";
import { generateRuns } from "../steps/generate-runs.ts";
import { traceRuns } from "../steps/trace-runs.ts";
import { openShard, openWorkspace, type Workspace, withStudyRuns } from "../workspace.ts";
import { mergeShards } from "./merge-shards.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
const SAMPLER = { ...PLAIN_SAMPLER, topP: 0.95, maxNewTokens: 6 };
// ids that are not in alphabetical order, and one that is escaped in JSON
const QUESTIONS = Array.from({ length: 11 }, (_, i) => ({
  id: i === 4 ? 'q"4\\' : `q${(7 * i) % 11}`,
  question: `What is ${i} + ${i}?`,
  answer: `${2 * i}`,
}));

let model: LanguageModel;
let whole: Workspace;
let root: string;
let study: Workspace;

beforeAll(async () => {
  model = await loadModel(CHECKPOINT, { threads: 1 });
  whole = openWorkspace(await freshFolder());
  await runSteps(whole);
});
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(whole.root, { recursive: true });
});
beforeEach(async () => {
  root = await freshFolder();
  study = openWorkspace(root);
});
afterEach(() => rm(root, { recursive: true }));

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sep-shards-"));
  await writeJsonl(openWorkspace(folder).raw("math"), QUESTIONS);
  return folder;
}

const generate = (workspace: Workspace, options = {}) =>
  finishStep(generateRuns(workspace, "math", { model, sampler: SAMPLER, runs: 3, ...options }));
const trace = (workspace: Workspace) => finishStep(traceRuns(workspace, "math", { model, layers: [0, 2] }));
const entropy = (workspace: Workspace) => finishStep(computeEntropy(workspace, "math"));

async function runSteps(workspace: Workspace): Promise<void> {
  await generate(workspace);
  await trace(workspace);
  await entropy(workspace);
}

async function merge(options = {}): Promise<{
  readonly results: readonly StepResult[];
  readonly events: readonly StepEvent[];
}> {
  const merging = mergeShards(root, options);
  const events: StepEvent[] = [];
  for (;;) {
    const next = await merging.next();
    if (next.done) return { results: next.value, events };
    events.push(next.value);
  }
}

const shard = (index: number, count: number): Workspace => openShard(root, { index, count });
const outputsOf = (workspace: Workspace): readonly string[] => [
  workspace.runs("math"),
  workspace.hiddenStates("math"),
  workspace.hiddenStatesIndex("math"),
  workspace.semanticEntropy("math"),
  workspace.pairVerdicts("math"),
];

async function expectSameAsWhole(): Promise<void> {
  for (const [i, path] of outputsOf(study).entries())
    expect((await readFile(path)).equals(await readFile(outputsOf(whole)[i]!)), path).toBe(true);
}

describe("mergeShards", () => {
  it("joins best answers, and the states of those", async () => {
    const alone = openWorkspace(await freshFolder());
    const best = { answers: "best", runs: 1 };
    for (const workspace of [alone, shard(1, 2), shard(2, 2)]) {
      await generate(workspace);
      await generate(workspace, best);
      await trace(workspace);
      await entropy(workspace);
    }
    const { results } = await merge();
    expect(results.map(({ step, part }) => `${step} ${part}`)).toEqual([
      "generate math",
      "generate math best",
      "trace math",
      "entropy math",
    ]);
    for (const of of [...outputsOf(alone), alone.bestRuns("math")].map((path) =>
      path.slice(alone.root.length),
    ))
      expect((await readFile(`${root}${of}`)).equals(await readFile(`${alone.root}${of}`)), of).toBe(true);
    await generate(study, best); // and the study's own step takes them as its own
    await rm(alone.root, { recursive: true });
  });

  // 12 shards of 11 questions: one has none
  it.each([1, 3, 12])("of %i makes the bytes of a run without shards", async (count) => {
    for (let index = count; index >= 1; index--) await runSteps(shard(index, count));
    const { results } = await merge();
    expect(results.map(({ step, status }) => `${step} ${status}`)).toEqual([
      "generate ran",
      "trace ran",
      "entropy ran",
    ]);
    await expectSameAsWhole();
    for (const i of [0, 1, 3]) {
      const [got, expected] = await Promise.all(
        [study, whole].map((workspace) => readManifest(manifestPathOf(outputsOf(workspace)[i]!))),
      );
      expect(got?.settings).toEqual(expected?.settings);
      expect(got?.inputs).toEqual(expected?.inputs);
      expect(got?.outputs).toEqual(expected?.outputs);
      expect(got?.counts).toEqual(expected?.counts);
    }
  });

  it("gives each question to one shard, whole", async () => {
    const ids: string[] = [];
    for (const index of [1, 2, 3]) {
      await generate(shard(index, 3));
      const { rows } = await readJsonl(shard(index, 3).runs("math"), {
        parse: (value) => (value as { question_id: string }).question_id,
      });
      ids.push(...rows);
    }
    expect(ids.toSorted()).toEqual(QUESTIONS.flatMap(({ id }) => [id, id, id]).toSorted());
  });

  it("leaves steps that run on the merged files nothing to do", async () => {
    for (const index of [1, 2]) await runSteps(shard(index, 2));
    await merge();
    for (const again of [await generate(study), await trace(study), await entropy(study)])
      expect(again.result.status).toBe("up-to-date");
    expect((await merge()).results.map(({ status }) => status)).toEqual(Array(3).fill("up-to-date"));
  });

  it("joins traces and entropies that shards made of runs which were drawn in one piece", async () => {
    await generate(study);
    for (const index of [1, 2, 3]) {
      const own = await withStudyRuns(shard(index, 3));
      await trace(own);
      await entropy(own);
    }
    await merge();
    await expectSameAsWhole();
  });

  it("joins a limited set of questions", async () => {
    for (const index of [1, 2]) await generate(shard(index, 2), { limit: 5 });
    await merge();
    const limited = openWorkspace(await freshFolder());
    await generate(limited, { limit: 5 });
    expect(await readFile(study.runs("math"), "utf8")).toBe(await readFile(limited.runs("math"), "utf8"));
    await rm(limited.root, { recursive: true });
  });

  it("goes on in a shard that was stopped", async () => {
    const stopped = generateRuns(shard(1, 2), "math", { model, sampler: SAMPLER, runs: 3 });
    for (const _ of [1, 2, 3]) await stopped.next();
    await stopped.return(undefined as never);
    for (const index of [1, 2]) await runSteps(shard(index, 2));
    await merge();
    await expectSameAsWhole();
  });
});

describe("mergeShards refuses", () => {
  it("a study without shards", async () => {
    await expect(merge()).rejects.toMatchObject({
      code: "missing-input",
      message: expect.stringContaining("--shard 1/N"),
    });
  });

  it("missing shards, and says which", async () => {
    for (const index of [1, 3]) await generate(shard(index, 4));
    await expect(merge()).rejects.toMatchObject({
      code: "shards-missing",
      message: expect.stringMatching(
        /Of 4 shards, 2 have not finished `sep generate`: 2, 4\. .*--shard 2\/4/,
      ),
    });
  });

  it("a shard that was stopped before its end", async () => {
    await generate(shard(1, 2));
    const stopped = generateRuns(shard(2, 2), "math", { model, sampler: SAMPLER, runs: 3 });
    for (const _ of [1, 2, 3]) await stopped.next();
    await stopped.return(undefined as never);
    await expect(merge()).rejects.toMatchObject({ code: "shards-missing" });
  });

  it("shards of two counts", async () => {
    await generate(shard(1, 2));
    await generate(shard(1, 3));
    await expect(merge()).rejects.toMatchObject({
      code: "shards-differ",
      message: expect.stringContaining("shards of 2 and of 3"),
    });
  });

  it("a shard that is there twice, under another's number", async () => {
    await generate(shard(1, 2));
    await generate(shard(2, 2));
    await cp(join(root, "shards", "1-of-2"), join(root, "shards", "2-of-2"), {
      recursive: true,
      force: true,
    });
    await expect(merge()).rejects.toMatchObject({ code: "shards-differ" });
  });

  it.each([
    ["another seed", { seed: 7 }, /seed was 42 and is now 7/],
    ["another number of answers", { runs: 2 }, /runs was 3 and is now 2/],
    [
      "another sampler",
      { sampler: { ...SAMPLER, temperature: 0.5 } },
      /sampler\.temperature was 1 and is now 0\.5/,
    ],
  ])("%s", async (_name, options, message) => {
    await generate(shard(1, 2));
    await generate(shard(2, 2), options);
    await expect(merge()).rejects.toMatchObject({
      code: "shards-differ",
      message: expect.stringMatching(message),
    });
  });

  it("a file that was edited, and one whose question file has changed", async () => {
    for (const index of [1, 2]) await generate(shard(index, 2));
    const path = shard(1, 2).runs("math");
    const content = await readFile(path);
    await writeFile(path, Buffer.concat([content, content]));
    await expect(merge()).rejects.toMatchObject({
      code: "shards-differ",
      message: expect.stringMatching(/runs\.jsonl is not what `sep generate` wrote in shard 1\/2/),
    });
    await writeFile(path, content);
    await merge();
    await writeJsonl(study.raw("math"), QUESTIONS.slice(1));
    await expect(merge()).rejects.toMatchObject({
      code: "shards-differ",
      message: expect.stringMatching(/math_raw\.jsonl is not what `sep generate` read in shard 1\/2/),
    });
  });

  it("to replace runs that were drawn in one piece with others", async () => {
    await generate(study, { seed: 7 });
    for (const index of [1, 2]) await generate(shard(index, 2));
    await expect(merge()).rejects.toMatchObject({ code: "output-differs" });
    await merge({ force: true });
    expect((await readFile(study.runs("math"))).equals(await readFile(whole.runs("math")))).toBe(true);
  });
});
