import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import type { UnitValue } from "../../samples/unit-values.ts";
import { readJsonl } from "../../store/jsonl.ts";
import { loadProbe, readProbeDataset } from "../probe-files.ts";
import { measureInconsistency } from "../units/measure-inconsistency.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";

/** A whole NLI model; see `golden/generate/tiny_nli.py`. */
const NLI = fileURLToPath(new URL("../../../test/golden/nli/tiny", import.meta.url));

it("a part is inconsistent as far as the other samples do not entail it", async () => {
  const asked: (readonly [string, string])[] = [];
  const entailer = {
    classify: async (pairs: readonly (readonly [string, string])[]) => {
      asked.push(...pairs);
      return pairs.map(([premise, hypothesis]) => ({
        entailment: premise.includes(hypothesis) ? 0.9 : 0.1,
        neutral: 0.1,
        contradiction: 0,
        truncated: premise.length > 8,
      }));
    },
  } as unknown as Entailer;
  const found = await measureInconsistency(
    [{ text: "a" }, { text: "b" }],
    ["a c", "a b", "long long b"],
    entailer,
  );
  expect(asked[0]).toEqual(["a c", "a"]);
  // (0.9 + 0.9 + 0.1) / 3 and (0.1 + 0.9 + 0.9) / 3 entail
  expect(found.map(({ value }) => value)).toEqual([
    expect.closeTo(1 - 1.9 / 3, 12),
    expect.closeTo(1 - 1.9 / 3, 12),
  ]);
  expect(found.map(({ truncated }) => truncated)).toEqual([1, 1]);
});

describe("sep label", () => {
  let root: string;
  let workspace: Workspace;
  let notCompared: Awaited<ReturnType<typeof run>>;
  const run = async (...args: string[]): Promise<{ readonly code: number; readonly text: string }> => {
    const cli = createFakeCli();
    const code = await runCli([...args, "--out", root], cli.context);
    return { code, text: cli.stdout() + cli.stderr() };
  };
  const sep = async (...args: string[]): Promise<string> => {
    const { code, text } = await run(...args);
    expect(code, text).toBe(0);
    return text;
  };
  const valuesOf = async (label: "inconsistent" | "clusters"): Promise<readonly UnitValue[]> =>
    (await readJsonl(workspace.unitValues("math", label), { parse: (value) => value as UnitValue })).rows;
  const BRANCHES = [
    "label",
    "--set",
    "math",
    "--position",
    "step-end",
    "--label",
    "clusters",
    "--branch",
    "3",
  ];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-label-"));
    workspace = openWorkspace(root);
    vi.stubEnv("SEP_CACHE", join(root, "cache"));
    await sep("prepare", "--dataset", "arithmetic", "--ood", "none", "--limit", "24");
    await sep(
      "generate",
      "--set",
      "math",
      "--runs",
      "2",
      "--max-new-tokens",
      "60",
      "--temperature",
      "1",
      "--seed",
      "3",
    );
    notCompared = await run("label", "--set", "math", "--position", "step-end");
    await sep("entropy", "--set", "math");
    await sep("trace", "--set", "math", "--positions", "step-end", "--layers", "4");
  }, 120_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(root, { recursive: true });
  });

  it("refuses answers that have not been compared, and names the step to run", () => {
    expect(notCompared.code).not.toBe(0);
    expect(notCompared.text).toMatch(/have not been compared yet. Run `sep entropy --equivalence nli` first/);
  });

  it("refuses what the study has no NLI model for, by name", async () => {
    const { code, text } = await run("label", "--set", "math", "--position", "step-end");
    expect(code).not.toBe(0);
    expect(text).toMatch(/answers were compared by the relation math, which has no NLI model/);
  });

  it("draws the same continuations whatever is sampled beside them, and makes labels of their entropy", {
    tags: ["long"],
  }, async () => {
    await sep(...BRANCHES);
    const values = await valuesOf("clusters");
    expect(values.some(({ value }) => value > 0)).toBe(true);
    expect(
      values.every(({ value, count }) => value >= 0 && value <= Math.log(3) + 1e-12 && count === 3),
    ).toBe(true);
    const before = await readFile(workspace.unitValues("math", "clusters"), "utf8");
    await sep(...BRANCHES, "--rows", "3", "--workers", "1", "--force");
    expect(await readFile(workspace.unitValues("math", "clusters"), "utf8")).toBe(before);
    await sep("dataset", "--position", "step-end", "--label", "clusters");
    const train = await readProbeDataset(workspace.probeDataset("math_train"));
    expect(train).toMatchObject({ label: "clusters" });
    const known = new Map(
      values.map((each) => [JSON.stringify([each.question_id, each.run_id, ...each.span]), each.value]),
    );
    for (const [row, question] of train.questionIds.entries()) {
      const key = JSON.stringify([
        question,
        train.runIds[row],
        ...train.spans!.subarray(2 * row, 2 * row + 2),
      ]);
      expect(train.correct[row]).toBe(known.get(key)! > train.labelThreshold! ? 0 : 1);
    }
    await sep("train");
    expect(await loadProbe(workspace.accuracyProbe)).toMatchObject({
      label: "clusters",
      label_threshold: train.labelThreshold,
    });
  });

  it("asks the study's own NLI model, and no other", async () => {
    await sep("entropy", "--set", "math", "--equivalence", "nli", "--nli-model", NLI);
    await sep("label", "--set", "math", "--position", "step-end", "--nli-model", NLI);
    const values = await valuesOf("inconsistent");
    expect(values.every(({ value, count }) => value >= 0 && value <= 1 && count === 1)).toBe(true);
    await sep("dataset", "--position", "step-end", "--label", "inconsistent");
    const train = await readProbeDataset(workspace.probeDataset("math_train"));
    expect(train).toMatchObject({ label: "inconsistent", labelThreshold: 0.5 });
  });
});
