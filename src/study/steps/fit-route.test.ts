import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import { runCli } from "../../cli/run-cli.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { hashFile } from "../../store/fingerprint.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { loadProbe } from "../probe-files.ts";
import { followRoute, readRoute } from "../probes/read-route.ts";
import { readLargeAnswers } from "../probes/route-rows.ts";
import type { Workspace } from "../workspace.ts";
import { buildDatasets } from "./build-datasets.ts";
import { type FitRouteOptions, type FittedRoute, fitRoute } from "./fit-route.ts";
import { trainProbes } from "./train-probes.ts";

const QUICK = { resamples: 100, permutations: 99 };
let root: string;
let workspace: Workspace;
let large: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-route-"));
  workspace = await writeStudy(root, { questions: 300, withOod: false });
  await finishStep(buildDatasets(workspace));
  await finishStep(trainProbes(workspace));
  large = join(root, "large.jsonl");
  const questions = Array.from({ length: 300 }, (_, q) => `math-${String(q).padStart(4, "0")}`);
  await writeJsonl(
    large,
    questions.map((id, q) => ({
      id,
      answers: [{ text: String(2 * q), token_count: 7, is_correct: q % 25 !== 0 }],
    })),
  );
}, 60_000);
afterAll(() => rm(root, { recursive: true }));

async function fitStudy(options: Partial<FitRouteOptions> = {}): Promise<FittedRoute> {
  await finishStep(fitRoute(workspace, { large, targetRisk: 0.2, ...QUICK, ...options }));
  return JSON.parse(await readFile(workspace.route, "utf8")) as FittedRoute;
}

describe("fitRoute", () => {
  it("promises a risk, and is better than routing at random at the same cost", async () => {
    const { threshold, test, probe, calibration, large: asked } = await fitStudy();
    expect(threshold).toMatchObject({ target: 0.2, calibration_questions: 45 });
    expect(threshold!.bound).toBeLessThanOrEqual(0.2);
    expect(probe).toMatchObject({ file: "artifacts/models/accuracy_probe.json", position: "think-end" });
    expect(probe.sha256).toBe(await hashFile(workspace.accuracyProbe));
    expect(asked).toMatchObject({ questions: 300, answers: 300 });
    expect(calibration.small_risk).toBeGreaterThan(0.3);
    expect(test!.question_count).toBe(45);
    const share = test!.route.share_escalated.estimate;
    expect(test!.route.cost_per_answer.estimate).toBeCloseTo(1 + 10 * share, 9);
    expect(test!.route.risk.estimate).toBeLessThan(test!.small_alone.risk.estimate);
    expect(test!.comparisons.map(({ router }) => router)).toEqual([
      "random",
      "length",
      "mean_logprob",
      "token_entropy",
    ]);
    expect(test!.comparisons[0]!.risk_difference.estimate).toBeGreaterThan(0);
  });

  it("counts tokens where costs are per token, and refuses them where they are not known", async () => {
    const { test } = await fitStudy({ costPer: "token", costSmall: 2, costLarge: 3 });
    // five tokens of the small model, seven of the large one
    expect(test!.small_alone.cost_per_answer.estimate).toBeCloseTo(10, 9);
    expect(test!.large_alone.cost_per_answer.estimate).toBeCloseTo(21, 9);
    const bare = join(root, "bare.jsonl");
    const rows = (await readFile(large, "utf8")).replaceAll(',"token_count":7', "");
    await writeFile(bare, rows);
    await expect(fitStudy({ large: bare, costPer: "token" })).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringMatching(/how many tokens the large model's answers have is not known/),
    });
  });

  it("grades answers that nobody has graded, and refuses those to other questions", async () => {
    const ungraded = join(root, "ungraded.jsonl");
    await writeFile(ungraded, (await readFile(large, "utf8")).replaceAll(/,"is_correct":(true|false)/g, ""));
    const { calibration } = await fitStudy({ large: ungraded });
    expect(calibration.large_risk).toBe(0);
    const other = join(root, "other.jsonl");
    await writeJsonl(other, [{ id: "x", question: "Who?", answers: ["me"], is_correct: [true] }]);
    await expect(fitStudy({ large: other })).rejects.toThrow(
      /answers none of the study's 45 held-out questions/,
    );
    const { runs } = await readRuns(workspace.runs("math"));
    const named = runs.map((run) => ({ ...run, question: run.prompt }));
    const worded = join(root, "worded.jsonl");
    const first = runs[0]!.question_id;
    await writeJsonl(worded, [{ id: first, question: "Who?", answers: ["me"], is_correct: [true] }]);
    await expect(readLargeAnswers(worded, workspace, named)).rejects.toThrow(
      /is "Who\?" in .* and "What is 0 \+ 0\?" in the study/,
    );
  });

  it("leaves out what the large model did not answer, and says so", async () => {
    const half = join(root, "half.jsonl");
    const lines = (await readFile(large, "utf8")).trim().split("\n");
    await writeFile(half, lines.filter((_, i) => i % 2 === 0).join("\n"));
    const { warnings, test } = await fitStudy({ large: half });
    expect(test!.question_count).toBeLessThan(45);
    const missing = warnings.find(({ code }) => code === "missing-answers");
    expect(missing!.message).toMatch(/^\d+ held-out questions were left out/);
  });

  it("says why there is no route", async () => {
    const { threshold, reason, test, warnings } = await fitStudy({ targetRisk: 0.03 });
    expect([threshold, test]).toEqual([null, null]);
    expect(reason).toMatch(/too few|alone is wrong/);
    expect(warnings).toContainEqual({ code: "no-route", message: reason });
    await expect(readRoute(workspace.route)).rejects.toMatchObject({ code: "bad-option" });
  });

  it("is current until an input changes", async () => {
    await fitStudy();
    const again = await finishStep(fitRoute(workspace, { large, targetRisk: 0.2, ...QUICK }));
    expect(again.result.status).toBe("up-to-date");
    await writeFile(large, `${await readFile(large, "utf8")}\n`);
    const changed = await finishStep(fitRoute(workspace, { large, targetRisk: 0.2, ...QUICK }));
    expect(changed.result.status).toBe("ran");
  });

  it("gives a server its threshold in place of the probe's", async () => {
    const { threshold } = await fitStudy();
    const route = await readRoute(workspace.route);
    const probe = followRoute(await loadProbe(workspace.accuracyProbe), route);
    const { bound: _bound, ...chosen } = threshold!;
    expect(probe.decisions.find(({ kind }) => kind === "risk")).toEqual({
      kind: "risk",
      target: 0.2,
      threshold: { kind: "risk", ...chosen },
      reason: null,
    });
    expect(probe.decisions.map(({ kind }) => kind)).toEqual(["risk", "coverage"]);
    await expect(readRoute(large)).rejects.toMatchObject({ code: "bad-artifact" });
    await expect(readRoute(join(root, "none.json"))).rejects.toMatchObject({ code: "missing-input" });
  });
});

describe("sep route", () => {
  it("prints the route, what it achieves, and its rivals", async () => {
    const { context, stdout } = createFakeCli();
    expect(await runCli(["route", large, "--target-risk", "0.2", "--out", root], context)).toBe(0);
    expect(stdout()).toMatch(/escalate above score 0\.\d{4}: at most 20% wrong answers/);
    for (const name of [
      "small model alone",
      "this route",
      "large model alone",
      "at random",
      "by token entropy",
    ])
      expect(stdout()).toContain(name);
    const widest = Math.max(
      ...stdout()
        .split("\n")
        .map((line) => line.length),
    );
    expect(widest).toBeLessThan(140);
  });

  it("is refused to a server that cannot follow it", async () => {
    const serve = async (...args: string[]): Promise<string> => {
      const { context, stderr } = createFakeCli();
      expect(
        await runCli(
          ["serve", "--probe", workspace.accuracyProbe, "--route", workspace.route, ...args],
          context,
        ),
      ).not.toBe(0);
      return stderr();
    };
    expect(await serve()).toContain("--policy escalate");
    await writeFile(
      workspace.route,
      (await readFile(workspace.route, "utf8")).replace(/"sha256": "[0-9a-f]+"/, '"sha256": "00"'),
    );
    expect(await serve("--policy", "escalate", "--escalate", "http://127.0.0.1:1/v1")).toContain(
      "another probe",
    );
  });
});
