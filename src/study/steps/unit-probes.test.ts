import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { ProbeEval } from "../../evaluation/probe-eval.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { loadProbe, readProbeDataset } from "../probe-files.ts";
import { openWorkspace, PROBE_SPLITS, type Workspace } from "../workspace.ts";

let root: string;
let workspace: Workspace;
const STUDY = ["--limit", "60", "--runs", "2", "--max-new-tokens", "70", "--layers", "2,4", "--seed", "3"];

async function sep(...args: string[]): Promise<string> {
  const cli = createFakeCli();
  const out = args[0] === "probe" || args[0] === "score" ? [] : ["--out", root];
  const code = await runCli([...args, ...out], cli.context);
  expect(code, cli.stderr()).toBe(0);
  return cli.stdout() + cli.stderr();
}
const evaluationOf = async (): Promise<ProbeEval> =>
  JSON.parse(await readFile(workspace.probeEval, "utf8")) as ProbeEval;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-unit-probes-"));
  workspace = openWorkspace(root);
  await sep(
    "run",
    ...STUDY,
    ...["--ood", "none"],
    "--positions",
    "step-end,last-token",
    "--position",
    "step-end",
    "--temperature",
    "1",
  );
}, 120_000);
afterAll(() => rm(root, { recursive: true }));

describe("probes at each step of a chain", () => {
  it("are labelled by how the chain ends, without those that were cut off, and never straddle splits", async () => {
    const { runs } = await readRuns(workspace.runs("math"));
    const cut = new Set(
      runs
        .filter(({ finish_reason }) => finish_reason === "length")
        .map((run) => `${run.question_id} ${run.run_id}`),
    );
    expect(cut.size).toBeGreaterThan(0);
    const splits = await Promise.all(
      PROBE_SPLITS.slice(0, 3).map((split) => readProbeDataset(workspace.probeDataset(split))),
    );
    const seen = new Map<string, number>();
    for (const [split, { questionIds, runIds, correct, spans, label }] of splits.entries()) {
      expect(label).toBe("final-incorrect");
      expect(spans!.length).toBe(2 * questionIds.length);
      expect(questionIds.length).toBeGreaterThan(new Set(questionIds).size);
      for (const [row, question] of questionIds.entries()) {
        expect(seen.get(question) ?? split).toBe(split);
        seen.set(question, split);
        const run = runs.find((each) => each.question_id === question && each.run_id === runIds[row])!;
        expect(cut.has(`${question} ${run.run_id}`)).toBe(false);
        expect(correct[row]).toBe(run.is_correct ? 1 : 0);
      }
    }
    const counts = (await readManifest(manifestPathOf(workspace.probeDataset("math_train"))))!.counts;
    expect(counts.math_train_without_label_censored).toBeGreaterThan(0);
  });

  it("are evaluated pooled, within answers and over the chain, and decide nothing about answers", async () => {
    const { units, warnings, decisions, audit } = await evaluationOf();
    expect(warnings.map(({ code }) => code)).toContain("unlabeled-rows");
    expect(units).toMatchObject({ label: "final-incorrect", position: "step-end" });
    const { math_test: test, math_val: val } = units!.splits;
    expect(val).toBeUndefined();
    expect(test!.pooled.auroc).toBeGreaterThan(0.4);
    // how a chain ends is the same for all of its steps
    expect(test!.within_answer).toMatchObject({ auroc: null, answer_count: 0 });
    expect(test!.over_position).toHaveLength(5);
    const { runs } = await readRuns(workspace.runs("math"));
    expect(units!.examples.map(({ risk }) => risk)).toEqual(["highest", "middle", "lowest"]);
    for (const { question_id, run_id, units: parts } of units!.examples) {
      const run = runs.find((each) => each.question_id === question_id && each.run_id === run_id)!;
      expect(run.think_text.split("\n").filter((line) => line.trim() !== "")).toEqual(
        parts.map(({ text }) => text),
      );
    }
    const page = await readFile(workspace.report, "utf8");
    expect(page).toContain("Along the answers");
    expect(page).toContain(units!.examples[0]!.units[0]!.text);
    const probe = await loadProbe(workspace.accuracyProbe);
    expect(probe).toMatchObject({ position: "step-end", target: "incorrect" });
    expect(probe.label).toBeUndefined();
    expect(probe.decisions.map(({ threshold, reason }) => [threshold, reason])[0]).toEqual([
      null,
      expect.stringMatching(/^Each row is a part of an answer/),
    ]);
    expect(decisions!.length).toBeGreaterThan(0);
    for (const { threshold, achieved } of decisions!) expect([threshold, achieved]).toEqual([null, {}]);
    expect(audit.checks.find(({ id }) => id === "promises")).toMatchObject({
      status: "unknown",
      finding: expect.stringMatching(/^Each row is a part of an answer/),
    });
  });

  it("are called steps, and not answers, on the terminal and in the report", async () => {
    const said = await sep("eval");
    expect(said).toMatch(/math_test +test: \d+ steps in answers to \d+ questions, \d+% in wrong answers/);
    expect(said).toMatch(/finds steps in wrong answers\?/);
    expect(said).toMatch(/No threshold\. Each row is a part of an answer/);
    const page = await readFile(workspace.report, "utf8");
    expect(page).toContain("How well each score finds steps in wrong answers");
    expect(page).toContain("AUROC at finding steps in wrong answers");
    expect(page).not.toContain("How well each score finds wrong answers");
  });

  it("learn which step's arithmetic fails, and name the label in their files", {
    tags: ["long"],
  }, async () => {
    await sep("dataset", "--position", "step-end", "--label", "step-incorrect");
    await sep("train");
    await sep("eval");
    const { units } = await evaluationOf();
    expect(units).toMatchObject({ label: "step-incorrect", position: "step-end" });
    expect(await readFile(workspace.report, "utf8")).toContain("How well each score finds wrong steps");
    expect((await loadProbe(workspace.accuracyProbe)).label).toBe("step-incorrect");
    expect(await sep("probe", "info", workspace.accuracyProbe)).toMatch(
      /a step whose arithmetic does not hold/,
    );
    // not that the answer is wrong
    const ask = ["score", "--probe", workspace.accuracyProbe, "What is 17 + 25?"];
    expect((await sep(...ask)).replace(/\s+/g, " ")).toMatch(
      /of 100 such steps .+ are wrong|higher for wrong steps/,
    );
    expect(JSON.parse(await sep(...ask, "--json", "--quiet"))).toMatchObject({ risk_of: "step-incorrect" });
    const train = await readProbeDataset(workspace.probeDataset("math_train"));
    const [fails, holds] = [0, 1].map((value) => train.correct.filter((each) => each === value).length);
    expect(fails).toBeGreaterThan(10);
    expect(holds).toBeGreaterThan(10);
    expect(units!.splits.math_test!.within_answer.answer_count).toBeGreaterThan(0);
  });

  it("refuse a label that the position cannot have", async () => {
    const cli = createFakeCli();
    const args = ["dataset", "--position", "last-token", "--label", "step-incorrect", "--out", root];
    expect(await runCli(args, cli.context)).not.toBe(0);
    expect(cli.stderr()).toMatch(/it is of a stretch of text: use --position step-end/);
  });
});
