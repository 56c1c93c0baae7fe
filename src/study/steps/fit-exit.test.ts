import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { createLocalBackend } from "../../backends/local/local-backend.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { parseForcedAnswer } from "../../samples/forced-answers.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { runKey } from "../../samples/samples.ts";
import { readJsonl } from "../../store/jsonl.ts";
import { inspectStudy } from "../chain.ts";
import { loadProbe } from "../probe-files.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { type FittedExit, fitExit } from "./fit-exit.ts";
import { forceAnswers } from "./force-answers.ts";

let root: string;
let workspace: Workspace;
let model: LanguageModel;

async function sep(...args: string[]): Promise<string> {
  const cli = createFakeCli();
  const code = await runCli([...args, "--out", root], cli.context);
  expect(code, cli.stderr()).toBe(0);
  return cli.stdout() + cli.stderr();
}
const readExit = async (): Promise<FittedExit> =>
  JSON.parse(await readFile(workspace.exit, "utf8")) as FittedExit;
const readForced = async (own = workspace) =>
  (await readJsonl(own.forcedAnswers("math"), { parse: parseForcedAnswer })).rows;
const backendOf = () => createLocalBackend(model);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-exit-"));
  workspace = openWorkspace(root);
  model = await loadModel("pocket", { threads: 1 });
  await sep("prepare", "--dataset", "arithmetic", "--ood", "none", "--limit", "60");
  await sep("generate", "--set", "math", "--runs", "2", "--max-new-tokens", "70", "--temperature", "1");
  await sep("trace", "--set", "math", "--positions", "step-end", "--layers", "2,4");
}, 120_000);
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

describe("sep exit", () => {
  let shown: string;
  beforeAll(async () => {
    shown = await sep("exit", "--target-risk", "0.2", "--promise", "expected", "--resplits", "20");
  }, 60_000);

  it("forces an answer at the end of every step, as the model itself would close its reasoning", async () => {
    const { runs } = await readRuns(workspace.runs("math"));
    const byRun = new Map(runs.map((run) => [runKey(run.question_id, run.run_id), run]));
    const rows = await readForced();
    expect(rows.length).toBeGreaterThan(runs.length);
    const closed = rows.filter((row) => row.is_final !== null);
    const last = new Map(closed.map((row) => [runKey(row.question_id, row.run_id), row]));
    let same = 0;
    for (const [key, row] of last) {
      const run = byRun.get(key)!;
      expect(run.finish_reason).toBe("stop");
      // at the last step's end the forced answer goes on as the chain did, but greedily
      if (row.extracted_answer === run.extracted_answer) same += 1;
      expect(row.is_final).toBe(row.extracted_answer === run.extracted_answer);
      expect(row.token_count).toBeGreaterThan(2);
    }
    expect(same / last.size).toBeGreaterThan(0.8);
    const censored = rows.filter((row) => row.is_final === null);
    expect(censored.length).toBeGreaterThan(0);
    for (const row of censored)
      expect(byRun.get(runKey(row.question_id, row.run_id))!.finish_reason).toBe("length");
  });

  it("writes policies with their promises, beside scores without hidden states", async () => {
    const exit = await readExit();
    expect(exit.policies.map(({ action, score }) => `${action} ${score}`)).toEqual([
      ...[
        "stop settled-probe",
        "stop right-probe",
        "stop entropy",
        "stop confidence",
        "stop agreement",
        "stop budget",
      ],
      ...["give-up ends-wrong-probe", "give-up entropy", "give-up confidence", "give-up budget"],
    ]);
    expect(exit.chains.censored).toBeGreaterThan(0);
    expect(exit.warnings.map(({ code }) => code)).toContain("censored-chains");
    expect(exit.budgets).toHaveLength(12);
    for (const { resplits } of exit.policies) expect(resplits.resplits).toBe(20);
    expect(shown).toMatch(/Stop and answer: harm to at most 20% of the chains\n/);
    expect(shown).toMatch(/probe: settled +0\.\d/);
    const probe = await loadProbe(workspace.exitProbe("settled-probe"));
    expect(probe).toMatchObject({ position: "step-end", label: "not-settled" });
    const states = await inspectStudy(workspace);
    expect(states.find(({ path }) => path === workspace.exit)?.state).toBe("current");
  });

  it("has nothing to do when asked again, and fits anew for another promise without asking the model", async () => {
    const backend = backendOf();
    const asked = { ...backend, openSampler: () => expect.unreachable() };
    const again = await finishStep(forceAnswers(workspace, "math", { model: asked }));
    expect(again.result.status).toBe("up-to-date");
    expect((await finishStep(fitExit(workspace, { resplits: 5, targetRisk: 0.3 }))).result.status).toBe(
      "ran",
    );
    expect((await readExit()).targets).toMatchObject({ stop: 0.3, promise: "realized" });
  });

  it("gives the same answers after a stop, one by one or in parallel", { tags: ["long"] }, async () => {
    const own = openWorkspace(await mkdtemp(join(tmpdir(), "sep-exit-stopped-")));
    await cp(join(root, "data"), join(own.root, "data"), { recursive: true });
    const before = await readForced();
    await rm(own.forcedAnswers("math"));
    await rm(`${own.forcedAnswers("math")}.manifest.json`);
    for await (const event of forceAnswers(own, "math", { model: backendOf() }))
      if (event.kind === "advanced" && event.done === 40) break;
    const { events } = await finishStep(forceAnswers(own, "math", { model: backendOf() }));
    expect(events.find(({ kind }) => kind === "started")).toMatchObject({
      done: expect.toSatisfy((done: number) => done >= 40),
    });
    expect(await readForced(own)).toEqual(before);
    await rm(own.root, { recursive: true });
  });

  it("refuses another model than the chains', and states without steps", async () => {
    const backend = backendOf();
    const provenance = { ...backend.model.provenance, id: "another" };
    const other = { ...backend, model: { ...backend.model, provenance }, identity: { model: "another" } };
    await expect(finishStep(forceAnswers(workspace, "math", { model: other }))).rejects.toThrow(
      /Got --model another, but .* wrote the chains/,
    );
    await sep("trace", "--set", "math", "--positions", "last-token", "--layers", "2");
    await expect(finishStep(fitExit(workspace, { force: true }))).rejects.toThrow(
      /no states at the ends of steps; there are last-token/,
    );
  });
});
