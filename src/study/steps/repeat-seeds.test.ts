import { appendFile, cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import type { ProbeEval } from "../../evaluation/probe-eval.ts";
import type { SeedScores, SeedsSummary } from "../../evaluation/summarise-seeds.ts";
import { parseSeeds } from "../settings/sampling.ts";
import { openRepetition, openWorkspace, type Workspace } from "../workspace.ts";
import { buildDatasets } from "./build-datasets.ts";
import { evaluateProbes } from "./evaluate-probes.ts";
import { repeatSeeds } from "./repeat-seeds.ts";
import { trainProbes } from "./train-probes.ts";
import { writeReport } from "./write-report.ts";

const QUICK = { resamples: 20, permutations: 19 };
const SEEDS = { seeds: [1, 2], resamples: 20 };
let root: string;
let study: Workspace;
const finish = async (workspace: Workspace, splitSeed: number): Promise<void> => {
  await finishStep(buildDatasets(workspace, { splitSeed, position: "last-token" }));
  await finishStep(trainProbes(workspace, { splitSeed, c: 1, layer: 3 }));
  await finishStep(evaluateProbes(workspace, { splitSeed, ...QUICK }));
};
const read = async <T>(path: string): Promise<T> => JSON.parse(await readFile(path, "utf8")) as T;
const readOwn = async (): Promise<readonly string[]> =>
  Promise.all(
    [study.probeDataset("math_test"), study.accuracyProbe, study.probeEval].map((path) =>
      readFile(path, "base64"),
    ),
  );

describe("repeatSeeds", () => {
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-seeds-"));
    study = await writeStudy(join(root, "study"), { questions: 60 });
    await finish(study, 42);
  }, 60_000);
  afterAll(() => rm(root, { recursive: true, force: true }));

  it("repeats what a study with the other split seed would find, and leaves the study's own files alone", async () => {
    const other = join(root, "other");
    await cp(study.root, other, { recursive: true });
    await finish(openWorkspace(other), 1);
    const expected = await read<ProbeEval>(openWorkspace(other).probeEval);
    const before = await readOwn();
    const { events } = await finishStep(repeatSeeds(study, SEEDS));
    expect(await readOwn()).toEqual(before);
    expect(new Set(events.map(({ part }) => part))).toEqual(new Set(["seed 1", "seed 2", "seeds"]));
    const found = await read<SeedScores>(openRepetition(study, 1).seedScores);
    for (const split of ["math_test", "ood_test"] as const) {
      const { scores, questions } = found.splits[split]!;
      expect(questions).toBe(expected[split]!.counts.questions);
      for (const name of ["accuracy_probe", "se_probe", "combined_after", "semantic_entropy"] as const) {
        expect(scores[name]!.auc, name).toBe(expected[split]!.scores[name].auc);
        expect(scores[name]!.augrc, name).toBe(expected[split]!.rejection[name]!.augrc);
      }
    }
    const summary = await read<SeedsSummary>(study.seeds);
    expect(summary).toMatchObject({ seeds: [1, 2], is_split_given: false });
    expect(summary.splits.math_test!.scores.accuracy_probe!.auc.values[0]).toBe(
      found.splits.math_test!.scores.accuracy_probe!.auc,
    );
    expect(summary.splits.math_test!.mean_questions).toBe(9);
  });

  it("keeps what is current, goes on where it stopped, and adds seeds", async () => {
    const ranSteps = async (seeds: readonly number[]): Promise<string[]> => {
      const { events, result } = await finishStep(repeatSeeds(study, { ...SEEDS, seeds }));
      const started = events.flatMap((event) =>
        event.kind === "started" && event.part !== "seeds" ? [`${event.part} ${event.step}`] : [],
      );
      return [...started, ...(result.status === "ran" ? ["seeds"] : [])];
    };
    expect(await ranSteps([1, 2])).toEqual([]);
    await rm(openRepetition(study, 2).seedScores);
    expect(await ranSteps([1, 2])).toEqual(["seed 2 eval"]);
    const added = await ranSteps([1, 2, 5]);
    expect(added).toEqual(["seed 5 dataset", "seed 5 train", "seed 5 eval", "seeds"]);
  });

  it("is shown by the report, until the study is another", async () => {
    await finishStep(writeReport(study));
    const page = await readFile(study.report, "utf8");
    expect(page).toContain('id="seeds"');
    expect(page).toContain("Over 3 splits and fits");
    expect(page).toContain("about one split, that of seed 42");
    await finishStep(trainProbes(study, { c: 0.1, layer: 3 }));
    await finishStep(evaluateProbes(study, QUICK));
    const { events } = await finishStep(writeReport(study));
    expect(events).toContainEqual(
      expect.objectContaining({
        kind: "note",
        message: expect.stringMatching(/seeds\.json is stale.*left out/),
      }),
    );
    expect(await readFile(study.report, "utf8")).not.toContain('id="seeds"');
  });

  it("refuses a study without an evaluation, and data sets that were not split here", async () => {
    const bare = openWorkspace(join(root, "bare"));
    await expect(finishStep(repeatSeeds(bare, SEEDS))).rejects.toThrow(
      /probe_eval\.json does not exist: `sep eval` writes it/,
    );
    const foreign = join(root, "foreign");
    await cp(study.root, foreign, { recursive: true });
    const { probeDataset } = openWorkspace(foreign);
    const manifest = `${probeDataset("math_train")}.manifest.json`;
    await rm(manifest);
    await appendFile(
      manifest,
      JSON.stringify({ tool: {}, step: "import", settings: {}, inputs: {}, outputs: {} }),
    );
    await expect(finishStep(repeatSeeds(openWorkspace(foreign), SEEDS))).rejects.toThrow(
      /was not made by `sep dataset`, so there is no split to draw again/,
    );
  });
});

it("parseSeeds reads ranges and lists", () => {
  expect(parseSeeds("1..5")).toEqual([1, 2, 3, 4, 5]);
  expect(parseSeeds("1..3, 8")).toEqual([1, 2, 3, 8]);
  for (const wrong of ["1", "5..1", "1,1", "1..", "a,b", "", "1.5,2", "1..2000", "-1..3"])
    expect(parseSeeds(wrong), wrong).toBeNull();
});
