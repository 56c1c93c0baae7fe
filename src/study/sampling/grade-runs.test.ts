import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from "vitest";
import { createFakeMeaningModels } from "../../../test/fakes/fake-meaning-models.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { generateRuns } from "../steps/generate-runs.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { type GradingChoice, resolveGrading } from "./grade-runs.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));

let model: LanguageModel;
let root: string;
let workspace: Workspace;
beforeAll(async () => {
  model = await loadModel(CHECKPOINT, { threads: 1 });
});
afterAll(() => model[Symbol.asyncDispose]());
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-grade-"));
  workspace = openWorkspace(root);
  await writeJsonl(workspace.raw("math"), [
    { id: "a", question: "Who?", answer: "Ann" },
    { id: "b", question: "Where?", answer: "Rome" },
  ]);
  return () => rm(root, { recursive: true });
});

const generate = (grading: GradingChoice) =>
  finishStep(
    generateRuns(workspace, "math", {
      model,
      sampler: { ...PLAIN_SAMPLER, maxNewTokens: 4 },
      runs: 2,
      ...grading,
    }),
  );

/** Says yes to every other question that it is asked, and nothing to the third. */
function createJudge(): JudgeModel & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    name: "referee",
    provenance: { engine: "fake" },
    concurrency: 1,
    asked,
    complete: (prompt) => Promise.resolve(["yes", "no", "Hm."][(asked.push(prompt) - 1) % 3]!),
  };
}

const judging = (judge: JudgeModel): GradingChoice =>
  resolveGrading({ correctness: "judge", judgeModel: "referee-1" }, createFakeMeaningModels({ judge }));

describe("a judge", () => {
  it("grades each different answer once, counts what it leaves open, and samples nothing again", async () => {
    await generate({ correctness: "contains" });
    const before = (await readRuns(workspace.runs("math"))).runs;
    const judge = createJudge();
    const { result, events } = await generate(judging(judge));
    const { runs } = await readRuns(workspace.runs("math"));
    expect(runs.map(({ tokens }) => tokens)).toEqual(before.map(({ tokens }) => tokens));
    const different = new Set(runs.map((run) => JSON.stringify([run.question_id, run.extracted_answer])));
    expect(judge.asked).toHaveLength(different.size);
    expect(judge.asked[0]).toContain("following question: Who?\nThe expected answer is: Ann.");
    const verdicts = [true, false, null];
    expect(runs.map(({ is_correct }) => is_correct)).toEqual(
      runs.map(
        (run) =>
          verdicts[[...different].indexOf(JSON.stringify([run.question_id, run.extracted_answer])) % 3],
      ),
    );
    const ungraded = runs.filter(({ is_correct }) => is_correct === null).length;
    expect(ungraded).toBeGreaterThan(0);
    expect(result.counts).toMatchObject({ runs: 4, ungraded });
    expect(result.warnings).toMatchObject([
      { code: "ungraded-answers", message: /of 4 answers have no grade, since referee answered neither yes/ },
    ]);
    expect(events).toContainEqual({
      kind: "advanced",
      step: "generate",
      part: "math",
      done: different.size,
      total: different.size,
    });
    const { settings } = (await readManifest(manifestPathOf(workspace.runs("math"))))!;
    expect(settings).toMatchObject({
      correctness: "judge",
      judge: {
        model: { engine: "fake" },
        prompt: { name: "correctness", version: 1, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      },
    });
    expect((await generate(judging(judge))).result.status).toBe("up-to-date");
    // and back to a rule
    await generate({ correctness: "contains" });
    expect((await readRuns(workspace.runs("math"))).runs).toEqual(before);
  });

  it("ends the step when it fails, and keeps the answers", async () => {
    const failing = { ...createJudge(), complete: () => Promise.reject(new Error("gone")) };
    await expect(generate(judging(failing))).rejects.toThrow("gone");
    const { events } = await generate(judging(createJudge()));
    expect(events.find(({ kind }) => kind === "started")).toMatchObject({ done: 2, total: 2 });
  });
});

describe("labels of the user", () => {
  it("replace the grading, and the artifacts say so", async () => {
    const labels = join(root, "labels.jsonl");
    await writeFile(
      labels,
      '{"question_id":"a","correct":true}\n{"question_id":"b","run_id":0,"correct":false}\n{"question_id":"b","run_id":1,"correct":1}\n',
    );
    await generate({ correctness: "auto" });
    const { result } = await generate({ correctness: "labels", labels });
    expect(result.counts).toMatchObject({ correct: 3 });
    const { runs } = await readRuns(workspace.runs("math"));
    expect(runs.map((run) => [run.correctness, run.is_correct])).toEqual([
      ["labels", true],
      ["labels", true],
      ["labels", false],
      ["labels", true],
    ]);
    const manifest = await readFile(manifestPathOf(workspace.runs("math")), "utf8");
    expect(JSON.parse(manifest).settings).toMatchObject({
      correctness: "labels",
      labels_sha256: expect.any(String),
    });
    await writeFile(labels, '{"question_id":"c","correct":true}\n');
    await expect(generate({ correctness: "labels", labels })).rejects.toMatchObject({
      code: "bad-labels-file",
    });
  });
});

test("a judge needs a model, and labels need no rule", () => {
  const models = createFakeMeaningModels();
  expect(() => resolveGrading({ correctness: "judge" }, models)).toThrow(
    /judge without a model.*--judge-model/,
  );
  expect(() => resolveGrading({ correctness: "math", labels: "x.jsonl" }, models)).toThrow(
    /Got --labels with --correctness math/,
  );
});
