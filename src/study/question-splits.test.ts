import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finishStep } from "../../test/fakes/finish-step.ts";
import { writeStudy } from "../../test/fakes/write-study.ts";
import { loadQuestions } from "../samples/load-questions.ts";
import type { Question } from "../samples/question.ts";
import { readNpz } from "../store/array-file.ts";
import { readJsonl, writeJsonl } from "../store/jsonl.ts";
import { readManifest } from "../store/manifest.ts";
import { manifestPathOf } from "../store/output-ownership.ts";
import { readGivenSplit } from "./question-splits.ts";
import { buildDatasets } from "./steps/build-datasets.ts";
import type { ProbeSplit, Workspace } from "./workspace.ts";

const ask = (id: string, split?: string, question = `What does ${id} mean?`): Question => ({
  id,
  question,
  answer: "x",
  ...(split === undefined ? {} : { split }),
});
const PARTS = [ask("a", "Train"), ask("b", "validation"), ask("c", "calibration"), ask("d", "test")];

describe("readGivenSplit", () => {
  it("takes the usual names of the three parts", () => {
    expect(readGivenSplit(PARTS)).toEqual({ train: ["a"], val: ["b", "c"], test: ["d"] });
    expect(readGivenSplit([ask("a"), ask("b")])).toBeNull();
  });

  it.each([
    ["questions without one", [...PARTS, ask("e"), ask("f")], /2 of 6 questions have no split.*"e", "f"/],
    [
      "an unknown one",
      [...PARTS, ask("e", "algebra")],
      /1 questions .* such as "e" with "algebra"; expected train/,
    ],
    ["a part without questions", PARTS.slice(0, 3), /no question is in test; check --limit/],
    [
      "the same words on both sides",
      [...PARTS, ask("e", "test", "what does A  mean")],
      /in more than one part: "a" in train, "e" in test\. Correct the split column, or split anew/,
    ],
    [
      "nearly the same words on both sides, twice",
      [
        ...PARTS,
        ask(
          "e",
          "train",
          "A farmer has twelve red hens and sells four of them on Monday. How many are left now?",
        ),
        ask(
          "f",
          "val",
          "A farmer has twelve red hens and sells four of them on Monday. How many are left today?",
        ),
        ask("g", "val", "What does d mean?"),
      ],
      /"g" in validation, "d" in test, and 1 more like it|"e" in train, "f" in validation, and 1 more like it/,
    ],
  ])("refuses %s by name", (_, questions, message) => {
    expect(() => readGivenSplit(questions)).toThrow(expect.objectContaining({ code: "bad-split" }));
    expect(() => readGivenSplit(questions)).toThrow(message);
  });
});

describe("data sets", () => {
  let root: string;
  let workspace: Workspace;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-split-"));
    workspace = await writeStudy(root, { questions: 40 });
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const idsOf = async (split: ProbeSplit): Promise<string[]> => [
    ...new Set((await readNpz(workspace.probeDataset(split))).question_ids!.data as string[]),
  ];
  const writeSplit = async (partOf: (q: number) => string | undefined): Promise<void> => {
    const { rows } = await readJsonl(workspace.raw("math"), { parse: (row) => row as Question });
    await writeJsonl(
      workspace.raw("math"),
      rows.map(({ split: _, ...row }, q) => ({ ...row, split: partOf(q) })),
    );
  };

  it("follow the ratios, and another seed of the splits", async () => {
    await finishStep(buildDatasets(workspace, { splitRatios: [0.5, 0.2, 0.3] }));
    expect((await idsOf("math_test")).length).toBe(12);
    const drawn = await idsOf("math_train");
    expect(drawn).toHaveLength(20);
    const { settings } = (await readManifest(manifestPathOf(workspace.probeDataset("math_train"))))!;
    expect(settings).toMatchObject({ ratios: { train: 0.5, val: 0.2, test: 0.3 }, seed: 42 });
    await finishStep(buildDatasets(workspace, { splitRatios: [0.5, 0.2, 0.3], splitSeed: 1 }));
    expect(await idsOf("math_train")).not.toEqual(drawn);
    await expect(finishStep(buildDatasets(workspace, { splitRatios: [0.5, 0.2] }))).rejects.toThrow(
      /three numbers > 0 that add up to 1/,
    );
    await expect(finishStep(buildDatasets(workspace, { splitRatios: [0.5, 0.2, 0.2] }))).rejects.toThrow(
      /three numbers > 0/,
    );
  });

  it("follow the split column, and are stale when it changes", async () => {
    await writeSplit((q) => (q < 10 ? "test" : q < 20 ? "validation" : "train"));
    expect((await loadQuestions(workspace.raw("math"))).questions[0]!.split).toBe("test");
    await finishStep(buildDatasets(workspace));
    expect(await idsOf("math_test")).toEqual(Array.from({ length: 10 }, (_, q) => `math-000${q}`));
    expect(await idsOf("math_val")).toHaveLength(10);
    // nothing is drawn, so no seed makes other data sets
    expect((await finishStep(buildDatasets(workspace, { splitSeed: 5 }))).result.status).toBe("up-to-date");
    const before = await readFile(workspace.probeDataset("math_test"));
    await writeSplit((q) => (q >= 30 ? "test" : q < 10 ? "validation" : "train"));
    expect((await finishStep(buildDatasets(workspace))).result.status).toBe("ran");
    expect(await readFile(workspace.probeDataset("math_test"))).not.toEqual(before);
  });

  it("refuse a column that cannot be used, unless they are split anew", async () => {
    await writeSplit((q) => (q === 3 ? undefined : "train"));
    await expect(finishStep(buildDatasets(workspace))).rejects.toThrow(
      /1 of 40 questions have no split.*math-0003/,
    );
    await finishStep(buildDatasets(workspace, { splitRatios: [0.7, 0.15, 0.15] }));
    expect(await idsOf("math_train")).toHaveLength(28);
  });
});
