import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { ProbeEval } from "../../evaluation/probe-eval.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { readNpz, writeNpz } from "../../store/array-file.ts";
import { loadProbe, readProbeDataset } from "../probe-files.ts";
import { evaluateProbes } from "../steps/evaluate-probes.ts";
import { trainProbes } from "../steps/train-probes.ts";
import { writeReport } from "../steps/write-report.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { importArrays } from "./import-arrays.ts";

const PYTHON = fileURLToPath(new URL("../../../test/golden/python-study/", import.meta.url));
const expected = JSON.parse(await readFile(join(PYTHON, "expected.json"), "utf8")) as Record<
  string,
  { readonly rows: number; readonly correct: number; readonly X_sum: number; readonly last: [string, number] }
>;
const aurocs = (expected as unknown as { readonly auroc: Readonly<Record<string, number>> }).auroc;
const SPLITS = ["math_train", "math_val", "math_test", "ood_test"] as const;
const FILES = [...SPLITS, "math_hidden_states"].map((name) => join(PYTHON, `${name}.npz`));

const roots: string[] = [];
let workspace: Workspace;
beforeEach(async () => {
  const root = await mkdtemp(join(tmpdir(), "sep-import-"));
  roots.push(root);
  workspace = openWorkspace(root);
});
afterAll(() => Promise.all(roots.map((root) => rm(root, { recursive: true }))));

const run = (files: readonly string[], options: Partial<Parameters<typeof importArrays>[2]> = {}) =>
  finishStep(importArrays(workspace, files, { layer: 28, ...options }));

describe("importArrays", () => {
  it("finds in numpy's files what numpy put there, whatever the type of the ids", async () => {
    const { result } = await run(FILES, { model: "Qwen3" });
    expect(result.counts).toMatchObject({
      math_state_rows: 256,
      ood_state_rows: 56,
      math_train_questions: 40,
    });
    for (const split of SPLITS) {
      const dataset = await readProbeDataset(workspace.probeDataset(split));
      const { rows, correct, X_sum, last } = expected[split]!;
      expect(dataset.questionIds).toHaveLength(rows);
      expect(dataset.correct.reduce((sum, each) => sum + each, 0)).toBe(correct);
      expect(dataset.X.reduce((sum, each) => sum + each, 0)).toBeCloseTo(X_sum, 3); // a float64 sum of float32
      expect([dataset.questionIds.at(-1), dataset.runIds.at(-1)]).toEqual(last);
      expect([dataset.position, dataset.layer, dataset.width]).toEqual(["think-end", 28, 6]);
      expect(dataset.semanticEntropy.every(Number.isNaN)).toBe(true);
      expect(dataset.discreteSemanticEntropy.some(Number.isNaN)).toBe(false);
      // each row's hidden state is its own
      const hidden = await openHiddenStates(workspace.hiddenStates(split === "ood_test" ? "ood" : "math"));
      expect(hidden.metadata).toMatchObject({ norm_state: "final-norm", model: "Qwen3" });
      expect(await hidden.read("think-end", 28, dataset.stateRows["think-end"]!)).toEqual(dataset.X);
    }
    expect(result.warnings.map(({ code }) => code)).toEqual(["no-likelihood", "no-likelihood"]);
  });

  it("leads to scikit-learn's own AUROCs, without answers or entropies of this package", async () => {
    await run(FILES.slice(0, 4));
    await finishStep(trainProbes(workspace, { c: 0.001 }));
    const { result } = await finishStep(evaluateProbes(workspace, { resamples: 50, permutations: 49 }));
    const evaluation = JSON.parse(await readFile(workspace.probeEval, "utf8")) as ProbeEval;
    for (const split of ["math_val", "math_test", "ood_test"] as const)
      expect(evaluation[split]!.auc_accuracy_probe).toBeCloseTo(aurocs[split]!, 6);
    expect(evaluation.math_test.auc_semantic_entropy).toBeNull();
    expect(result.counts.math_test_rows).toBe(48);
    await finishStep(writeReport(workspace));
    expect(await readFile(workspace.report, "utf8")).toContain("<svg");
    const probe = await loadProbe(workspace.accuracyProbe);
    expect(probe).toMatchObject({
      layer: 28,
      position: "think-end",
      asking: null,
      source: { norm_state: "final-norm" },
    });
  });

  it("does nothing the second time, and replaces nothing that is not its own", async () => {
    await run(FILES);
    expect((await run(FILES)).result.status).toBe("up-to-date");
    await copyFile(FILES[0]!, workspace.probeDataset("math_train"));
    await expect(run(FILES)).rejects.toMatchObject({ code: "output-differs" });
  });

  it("refuses names that say nothing, a part of a study, and parts of different ones", async () => {
    await expect(run([join(PYTHON, "expected.json")])).rejects.toThrow(
      /does not have the name of a part of a study/,
    );
    await expect(run(FILES.slice(0, 2))).rejects.toThrow(/expected math_train, math_val, math_test together/);
    const changed = join(roots.at(-1)!, "math_val.npz");
    const arrays = (await readNpz(FILES[1]!)) as Parameters<typeof writeNpz>[1];
    const X = Float32Array.from(arrays.X_hidden!.data as Float32Array);
    X[3] = 9;
    await writeNpz(changed, { ...arrays, X_hidden: { dtype: "f4", shape: arrays.X_hidden!.shape, data: X } });
    const mixed = [FILES[0]!, changed, FILES[2]!, FILES[4]!];
    await expect(run(mixed)).rejects.toThrow(/math_val: row 0 .* differs from its hidden state at 3/);
    await writeNpz(changed, {
      ...arrays,
      y_correct: { dtype: "i4", shape: [48], data: new Int32Array(48).fill(2) },
    });
    await expect(run(mixed)).rejects.toThrow(/"y_correct" holds 2/);
    await writeNpz(changed, { ...arrays, run_ids: { dtype: "i4", shape: [48], data: new Int32Array(48) } });
    await expect(run(mixed)).rejects.toThrow(/36 rows repeat/);
    await writeNpz(changed, { a: arrays.run_ids! });
    await expect(run(mixed)).rejects.toThrow(/it has a\. Save/);
  });

  it("says where splits share questions", async () => {
    const twin = join(roots.at(-1)!, "math_test.npz");
    await copyFile(FILES[1]!, twin);
    const { result } = await run([FILES[0]!, FILES[1]!, twin]).catch((error) => {
      throw error;
    });
    expect(result.warnings.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/math_val and math_test share 12 questions/),
    );
  });

  it("is a command", async () => {
    const cli = createFakeCli();
    const args = ["import", ...FILES, "--out", roots.at(-1)!];
    expect(await runCli(args, cli.context)).toBe(2);
    expect(cli.stderr()).toMatch(/Got NPZ files without --layer/);
    expect(await runCli([...args, "--layer", "28", "--norm-state", "residual"], cli.context)).toBe(0);
    expect(cli.stdout()).toMatch(/import: wrote .*math_hidden_states\.safetensors/);
    const { metadata } = await openHiddenStates(workspace.hiddenStates("math"));
    expect(metadata.norm_state).toBe("residual");
  });
});
