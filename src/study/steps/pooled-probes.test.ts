import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAllClose } from "../../../test/expect-all-close.ts";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { assessRisk } from "../../probes/assess-risk.ts";
import { pickStates } from "../../probes/pick-states.ts";
import type { Probe } from "../../probes/probe.ts";
import { assertSpans, scoreProbe } from "../../probes/score-probe.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { createScorer, type ScoredQuestion } from "../../serve/score-question.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { readStateRowIndex } from "../../states/state-index.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { loadProbe, readProbeDataset } from "../probe-files.ts";
import { readQuestionStates, scoreStates } from "../probes/score-study.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";

let root: string;
let workspace: Workspace;
let model: LanguageModel;
let runs: readonly RunRecord[];
const STUDY = ["--limit", "26", "--runs", "2", "--max-new-tokens", "60", "--layers", "2,4", "--seed", "3"];

async function sep(...args: string[]): Promise<string> {
  const cli = createFakeCli();
  const code = await runCli([...args, "--out", root], cli.context);
  expect(code, cli.stderr()).toBe(0);
  return cli.stdout() + cli.stderr();
}
const refusal = async (...args: string[]): Promise<string> => {
  const cli = createFakeCli();
  expect(await runCli([...args, "--out", root], cli.context)).not.toBe(0);
  return cli.stderr();
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-pooled-"));
  workspace = openWorkspace(root);
  await sep("prepare", "--dataset", "arithmetic", "--ood", "none", ...STUDY.slice(0, 2));
  await sep("generate", "--set", "math", ...STUDY.slice(2, 6), "--temperature", "1", "--seed", "3");
  await sep("entropy", "--set", "math");
  await sep("trace", "--set", "math", "--positions", "last-token,step-end,every-token", "--layers", "2,4");
  model = await loadModel("pocket", { threads: 1 });
  ({ runs } = await readRuns(workspace.runs("math")));
}, 180_000);
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

/** [T, width] states of a run's tokens, by the trace. */
async function tokensOf({ question_id, run_id }: RunRecord, layer: number): Promise<Float32Array> {
  const index = await readStateRowIndex(workspace.hiddenStatesIndex("math"));
  const rows = index
    .unitsOf("every-token", question_id, run_id)
    .map((unit) => index.rowOf("every-token", question_id, run_id, unit!.span));
  return (await openHiddenStates(workspace.hiddenStates("math"))).read("every-token", layer, rows);
}

const read = (probe: Probe, run: RunRecord): Promise<ScoredQuestion> =>
  createScorer(model, probe).score(run.question!, { answer: run.output_text, tokens: true });

describe("probes that pool the tokens of an answer", () => {
  it("compete with one token, say in their files how they pool, and are chosen without the outer fold", async () => {
    await sep("dataset", "--position", "last-token");
    await sep("train", "--pooling", "all", "--nested", "--layer", "4");
    const probe = await loadProbe(workspace.accuracyProbe);
    const places = [...new Set(probe.training.layer_scores.map(({ position }) => position))];
    expect(places).toEqual([
      "last-token",
      "every-token:mean",
      "every-token:max",
      "every-token:rolling-max-10",
      "every-token:attention",
    ]);
    expect(probe.training.nested!.folds.every(({ position }) => places.includes(position!))).toBe(true);
    const scored = probe.training.layer_scores.map(({ auroc }) => auroc.incorrect!);
    const cv = probe.training.penalty_scores.find(({ C }) => C === probe.C)!.auroc!;
    expect(cv).toBeCloseTo(Math.max(...scored), 12);
  });

  it.each(["mean", "attention", "rolling-max"])(
    "%s: what is said while an answer is written is what a study says of it",
    async (method) => {
      await sep("train", "--pooling", method, "--pool-window", "4", "--c", "0.1");
      const probe = await loadProbe(workspace.accuracyProbe);
      expect(probe).toMatchObject({
        features: "token-states",
        position: "every-token",
        pooling: { method, window: method === "rolling-max" ? 4 : null },
      });
      expect(await sep("probe", "info", workspace.accuracyProbe).catch(() => "")).toBeDefined();
      const dataset = await readProbeDataset(workspace.probeDataset("math_train"));
      const hidden = await openHiddenStates(workspace.hiddenStates("math"));
      const scores = await scoreStates(probe, dataset, hidden);
      expect(scores.some(Number.isNaN)).toBe(false);
      for (const row of [0, 5]) {
        const run = runs.find(
          (each) => each.question_id === dataset.questionIds[row] && each.run_id === dataset.runIds[row],
        )!;
        const live = await read(probe, run);
        // float32 rounding of a pass over the answer and of one over the prompt and the answer
        expect(Math.abs(live.score! - scores[row]!)).toBeLessThan(1e-5);
        const values = await tokensOf(run, probe.layer!);
        const place = {
          position: "every-token",
          layer: probe.layer!,
          width: 256,
          normState: "residual",
        } as const;
        const count = values.length / 256;
        const prefixes = Array.from({ length: count }, (_, t) => {
          const spans = assertSpans(values.subarray(0, 256 * (t + 1)), [0, t + 1], place);
          return scoreProbe(probe, spans)[0]!;
        });
        expectAllClose(
          live.tokens!.slice(0, count).map(({ score }) => score),
          prefixes,
          1e-5,
        );
        expect(live.read_at).toMatchObject({
          position: "every-token",
          token_index: live.prompt_tokens + count - 1,
        });
        // what a library user does with a trace of their own
        const prompt = { tokenIds: run.prompt_tokens, opensReasoning: false };
        const answer = { tokenIds: run.tokens, text: run.output_text, answerTokenCount: count };
        const trace = await model.trace([...run.prompt_tokens, ...run.tokens], { layers: [probe.layer!] });
        const [picked] = assessRisk(probe, pickStates(trace, probe, { model, prompt, answer })!);
        expect(Math.abs(picked!.score - scores[row]!)).toBeLessThan(1e-5);
        if (probe.familiarity !== null)
          expect(picked!.familiarity!.distance).toBeCloseTo(live.familiarity!.distance, 2);
      }
      expect((await readQuestionStates(probe, dataset, hidden)).rows.length).toBeGreaterThan(10);
    },
  );

  it("are refused where there is nothing to pool", async () => {
    await sep("dataset", "--position", "every-token");
    expect(await refusal("train", "--pooling", "max")).toMatch(/each row of the data sets is one token/);
    await sep("dataset", "--position", "last-token");
    expect(await refusal("train", "--pooling", "max", "--probe", "mlp")).toMatch(
      /fitted for logistic and ridge/,
    );
  });
});

describe("probes that pool the tokens of each step", () => {
  it("say of a step that is being written what they will say of it if it ends there", async () => {
    await sep("dataset", "--position", "step-end");
    await sep("train", "--pooling", "attention", "--c", "0.1");
    const probe = await loadProbe(workspace.accuracyProbe);
    expect(probe).toMatchObject({ features: "token-states", position: "step-end" });
    expect(probe.decisions.map(({ threshold }) => threshold)).toEqual([null, null]);
    const dataset = await readProbeDataset(workspace.probeDataset("math_train"));
    const hidden = await openHiddenStates(workspace.hiddenStates("math"));
    const scores = await scoreStates(probe, dataset, hidden);
    const rowsOf = ({ question_id, run_id }: RunRecord): number[] =>
      [...scores.keys()].filter(
        (row) => dataset.questionIds[row] === question_id && dataset.runIds[row] === run_id,
      );
    const run = runs.find((each) => rowsOf(each).length > 1)!;
    const live = await read(probe, run);
    const rows = rowsOf(run);
    expect(rows.length).toBeGreaterThan(1);
    for (const row of rows) {
      const end = dataset.spans![2 * row + 1]! - 1;
      const found = live.tokens!.find(({ index }) => index === end)!;
      expect(Math.abs(found.score - scores[row]!)).toBeLessThan(1e-5);
    }
    expect(Math.abs(live.score! - scores[rows.at(-1)!]!)).toBeLessThan(1e-5);
    await sep("eval");
    const manifest = await readManifest(manifestPathOf(workspace.probeEval));
    expect(manifest).not.toBeNull();
  });
});
