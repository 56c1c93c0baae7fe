import { appendFile, cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import type { StudiesComparison } from "../../evaluation/compare-studies.ts";
import { readNpz } from "../../store/array-file.ts";
import { requireSameKind } from "../../study/read-compared-study.ts";
import { buildDatasets } from "../../study/steps/build-datasets.ts";
import { evaluateProbes } from "../../study/steps/evaluate-probes.ts";
import { trainProbes } from "../../study/steps/train-probes.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { runCli } from "../run-cli.ts";

let root: string;
let folders: readonly string[];
const finish = async (folder: string, splitSeed: number): Promise<void> => {
  const workspace = openWorkspace(folder);
  await finishStep(buildDatasets(workspace, { splitSeed, splitRatios: [0.4, 0.2, 0.4] }));
  await finishStep(trainProbes(workspace, { splitSeed, c: 1, layer: 3 }));
  await finishStep(evaluateProbes(workspace, { splitSeed, resamples: 20, permutations: 19 }));
};
const compare = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
  const cli = createFakeCli();
  const code = await runCli(["compare", ...args], cli.context);
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-compare-"));
  folders = [join(root, "first"), join(root, "second")];
  await writeStudy(folders[0]!, { questions: 40 });
  await cp(folders[0]!, folders[1]!, { recursive: true });
  await finish(folders[0]!, 1);
  await finish(folders[1]!, 2);
}, 60_000);
afterAll(() => rm(root, { recursive: true, force: true }));

describe("sep compare", () => {
  it("names what differs, and pairs the studies by the test questions that both have", async () => {
    const { stdout } = await compare(...folders, "--format", "json");
    const { studies, differing, rows, differences } = JSON.parse(stdout) as StudiesComparison;
    expect(differing).toEqual(["split-seed"]);
    expect(studies).toEqual([
      { name: "first", settings: { "split-seed": "1" } },
      { name: "second", settings: { "split-seed": "2" } },
    ]);
    const idsOf = async (folder: string): Promise<Set<string>> =>
      new Set(
        (await readNpz(openWorkspace(folder).probeDataset("math_test"))).question_ids!.data as string[],
      );
    const [one, other] = await Promise.all(folders.map(idsOf));
    const shared = [...one!].filter((id) => other!.has(id)).length;
    expect(shared).toBeLessThan(one!.size);
    expect(differences.map(({ split, shared_questions }) => [split, shared_questions])).toEqual([
      ["math_test", shared],
      ["ood_test", 40],
    ]);
    // all questions of the second set are shared, so the difference is that of the table
    const [first, second] = rows.map(({ splits }) => splits.ood_test!.auc!);
    expect(differences[1]!.result!.auc_difference.estimate).toBeCloseTo(first! - second!, 12);
    expect(rows[0]!.splits.math_test).toMatchObject({ question_count: one!.size, promises: { made: 1 } });
  });

  it("prints 80 columns, and other scores on request", async () => {
    const { stdout } = await compare(...folders, "--scores", "accuracy_probe,semantic_entropy");
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toContain("  1  first: split-seed 1\n");
    expect(stdout).toMatch(/ {2}2 {2}Semantic entropy +0\.\d{3} +0\.\d\d to [01]\.\d\d/);
    // semantic entropy reads no probe: on the same questions there is no difference
    expect(stdout).toMatch(/1 − 2 Semantic entropy +ood +40 +\+0\.000/);
  });

  it("writes every format of both tables", async () => {
    const out = join(root, "out");
    await compare(...folders, "--out", out);
    expect((await readdir(out)).sort()).toEqual(
      [
        "comparison.html",
        "comparison.json",
        ...["csv", "md", "tex"].flatMap((ending) => [`studies.${ending}`, `study-differences.${ending}`]),
      ].sort(),
    );
    const [head, first] = (await readFile(join(out, "studies.csv"), "utf8")).split("\n");
    expect(head).toMatch(/^study,split-seed,score,questions_test,auroc_test,/);
    expect(first).toMatch(/^first,1,accuracy_probe,/);
    const page = await readFile(join(out, "comparison.html"), "utf8");
    expect(page).toContain("They differ in split-seed.");
    expect(page).toMatch(/aria-label="AUROC of each study\. first, test: 0\.\d\d/);
    const { stdout } = await compare(...folders, "--format", "latex");
    expect(stdout.match(/\\begin\{table\}/g)).toHaveLength(2);
  });

  it("refuses one study, stale ones, and labels of different kinds", async () => {
    expect((await compare(folders[0]!)).stderr).toMatch(/Got 1 study, expected two or more/);
    const copy = join(root, "stale");
    await cp(folders[0]!, copy, { recursive: true });
    await appendFile(openWorkspace(copy).raw("math"), "\n");
    await appendFile(openWorkspace(copy).seThreshold, "\n");
    const { code, stderr } = await compare(copy, folders[1]!);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/stale-input/)]);
    const kinds = [
      { name: "a", kind: { label: "final-incorrect", isParts: false } },
      { name: "b", kind: { label: "step-incorrect", isParts: true } },
    ];
    expect(() => requireSameKind(kinds)).toThrow(
      /a has final-incorrect of whole answers, b has step-incorrect of parts of answers/,
    );
    expect(() => requireSameKind([kinds[0]!, kinds[0]!])).not.toThrow();
  });
});
