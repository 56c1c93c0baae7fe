import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import { readTensors } from "../../../test/read-tensors.ts";
import { runCli } from "../../cli/run-cli.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { readNpz } from "../../store/array-file.ts";
import { readSafetensorsHeader } from "../../store/safetensors.ts";
import { loadProbe } from "../probe-files.ts";
import { scoreStudy } from "../probes/score-study.ts";
import { buildDatasets } from "../steps/build-datasets.ts";
import { trainProbes } from "../steps/train-probes.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { buildAnalysisTable } from "./analysis-table.ts";
import { readForeignArrays } from "./foreign-arrays.ts";
import { importArrays } from "./import-arrays.ts";

let root: string;
let workspace: Workspace;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-export-"));
  workspace = await writeStudy(root, { questions: 40, samples: 4, truncatedShare: 0.1 });
  await finishStep(buildDatasets(workspace));
});
afterAll(() => rm(root, { recursive: true }));

async function sep(...args: string[]) {
  const cli = createFakeCli();
  const code = await runCli([...args, "--out", root], cli.context);
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

describe("the table of answers", () => {
  it("has a row an answer before there are probes, and their scores after", async () => {
    const { runs } = await readRuns(workspace.runs("math"));
    const { runs: ood } = await readRuns(workspace.runs("ood"));
    const before = await buildAnalysisTable(workspace);
    expect(before[0]!.cells).toHaveLength(runs.length + ood.length);
    expect(before.map(({ name }) => name)).not.toContain("se_probe");

    await finishStep(trainProbes(workspace));
    const { code, stdout } = await sep("export", "table");
    expect([code, stdout]).toEqual([0, expect.stringMatching(/answers\.parquet: rows 320, columns \d+\n$/)]);
    const bytes = await readFile(join(root, "artifacts", "answers.parquet"));
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    const rows = await parquetReadObjects({ file });
    expect(rows).toHaveLength(runs.length + ood.length);
    for (const [i, run] of [...runs, ...ood].entries()) {
      const { question_id, run_id, is_correct, answer_text, dataset } = run;
      expect(rows[i]).toMatchObject({ set: dataset, question_id, run_id, is_correct, answer_text });
    }
    // answers that were cut off are in no data set, and have no score
    const truncated = rows.filter((row) => row.think_status === "truncated");
    expect(truncated.length).toBeGreaterThan(0);
    for (const row of truncated) expect([row.split ?? null, row.se_probe ?? null]).toEqual([null, null]);

    const { splits } = await scoreStudy(workspace);
    const { calibration_map } = await loadProbe(workspace.seProbe);
    for (const { split, dataset, scores } of splits) {
      const own = rows.filter((row) => row.split === split);
      expect(own).toHaveLength(dataset.questionIds.length);
      for (const [row, id] of dataset.questionIds.entries()) {
        const found = own.find((each) => each.question_id === id && each.run_id === dataset.runIds[row])!;
        expect(found.accuracy_probe).toBe(scores.byName.accuracy_probe[row]);
        expect(found.discrete_semantic_entropy).toBe(dataset.discreteSemanticEntropy[row]);
        expect(found.high_semantic_entropy).toBe(scores.highSemanticEntropy[row] === 1);
        expect((found.se_probe_risk ?? null) === null).toBe(calibration_map === null);
      }
    }
    expect(rows.some((row) => row.split === "math_train" && typeof row.se_probe === "number")).toBe(true);
    expect((await sep("export", "table")).stderr).toMatch(/answers.parquet exists/);
  });

  it("says what is missing where there is nothing", async () => {
    const empty = openWorkspace(await mkdtemp(join(root, "empty-")));
    await expect(buildAnalysisTable(empty)).rejects.toMatchObject({ code: "missing-input" });
  });
});

describe("arrays", () => {
  it("of states go out under Python's names, and come back", async () => {
    const { stdout } = await sep("export", "states", "--layer", "2");
    expect(stdout).toMatch(/math_hidden_states\.npz: rows \d+, position think-end, layer 2/);
    const path = join(root, "artifacts", "export", "math_hidden_states.npz");
    const { kind, content } = await readForeignArrays(path);
    expect(kind).toBe("states");
    const stored = await readTensors(workspace.hiddenStates("math"));
    expect(content.X).toEqual(stored["think-end.layer.2"]);
    const lines = (await readFile(workspace.hiddenStatesIndex("math"), "utf8")).trimEnd().split("\n");
    const index = lines.map((line) => JSON.parse(line)).filter((row) => row.position === "think-end");
    expect(content.questionIds).toEqual(index.map((row) => row.question_id));
    expect([...content.runIds]).toEqual(index.map((row) => row.run_id));
    await sep("export", "states", "--position", "before-generation", "--to", join(root, "b.npz"));
    const shared = await readNpz(join(root, "b.npz"));
    expect(shared.run_ids!.data).toEqual(new Int32Array(40).fill(-1));
    expect((await sep("export", "states", "--layer", "9", "--force")).stderr).toMatch(
      /Layer 9 .* was not traced/,
    );
  });

  it("of data sets have the states of the place that is asked for", async () => {
    const folder = join(root, "sets");
    const place = ["--position", "last-token", "--layer", "1"];
    const { stdout } = await sep("export", "datasets", "--format", "safetensors", "--to", folder, ...place);
    expect(stdout.split("\n")).toHaveLength(5); // four splits
    const path = join(folder, "math_test.safetensors");
    const { tensors, metadata } = await readSafetensorsHeader(path);
    const stored = await readTensors(path);
    const ids = JSON.parse(metadata.question_ids!) as string[];
    expect(tensors.get("X_hidden")!.shape).toEqual([ids.length, 12]);
    const all = await readTensors(workspace.hiddenStates("math"));
    const lines = (await readFile(workspace.hiddenStatesIndex("math"), "utf8")).trimEnd().split("\n");
    const index = lines.map((line) => JSON.parse(line)).filter((row) => row.position === "last-token");
    const row = index.find((each) => each.question_id === ids[0] && each.run_id === stored.run_ids![0]).row;
    expect(stored.X_hidden!.slice(0, 12)).toEqual(all["last-token.layer.1"]!.slice(row * 12, row * 12 + 12));
    expect([metadata.position, stored.layer![0]]).toEqual(['["last-token"]', 1]);
  });

  it("of data sets make the same study again", async () => {
    await sep("export", "datasets", "--layer", "3", "--to", join(root, "again"));
    const copy = openWorkspace(join(root, "copy"));
    const files = ["math_train", "math_val", "math_test", "ood_test"].map((name) =>
      join(root, "again", `${name}.npz`),
    );
    await finishStep(importArrays(copy, files, { layer: 3, normState: "residual" }));
    await finishStep(trainProbes(copy, { c: 0.01 }));
    await finishStep(trainProbes(workspace, { c: 0.01, layer: 3, force: true }));
    const [own, again] = await Promise.all([workspace.seProbe, copy.seProbe].map(loadProbe));
    expect(again!.coefficients).toEqual(own!.coefficients);
    expect(again!.calibration_map).toEqual(own!.calibration_map);
    // an imported study has no texts, and a table all the same
    const columns = await buildAnalysisTable(copy);
    expect(columns.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["split", "question_id", "se_probe"]),
    );
    expect(columns[0]!.cells.length).toBeGreaterThan(250);
  });
});
