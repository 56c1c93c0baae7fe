import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { probeOf } from "../../../test/fakes/model-probe.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import type { SinglePosition } from "../../engine/places.ts";
import { assertStates, scoreProbe } from "../../probes/score-probe.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { createScorer } from "../../serve/score-question.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { parseTraceRow, readStateRowIndex } from "../../states/state-index.ts";
import { readJsonl, writeJsonl } from "../../store/jsonl.ts";
import { inspectStudy } from "../chain.ts";
import { importAnswers } from "../exchange/import-answers.ts";
import { saveProbe } from "../probe-files.ts";
import { mergeShards } from "../shards/merge-shards.ts";
import { openShard, openWorkspace, type Workspace, withStudyRuns } from "../workspace.ts";
import { generateRuns } from "./generate-runs.ts";
import { traceRuns } from "./trace-runs.ts";
import { type TraceVerdict, verifyTrace } from "./verify-trace.ts";

/** Passes of other lengths add up float32 numbers in another order. */
const TOLERANCE = 1e-5;
const QUESTIONS = Array.from({ length: 4 }, (_, i) => ({
  id: `q${i}`,
  question: `What is ${i + 3} + 4?`,
  answer: String(i + 7),
}));
const ANSWERS = [
  ["It is 7.", "The answer is **8**, since 4 + 4 = 8."],
  ["8", "[THINK]4 + 4 = 8[/THINK]8"],
  ["9", ""],
  ["I do not know\nat all.", "10"],
];

let model: LanguageModel;
const roots: string[] = [];

beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
});
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await Promise.all(roots.map((root) => rm(root, { recursive: true })));
});

/** A study with the answers of a closed model. */
async function openStudy(): Promise<Workspace> {
  const root = await mkdtemp(join(tmpdir(), "sep-observer-"));
  roots.push(root);
  const workspace = openWorkspace(root);
  await writeJsonl(workspace.raw("math"), QUESTIONS);
  const file = join(root, "closed.jsonl");
  await writeJsonl(
    file,
    QUESTIONS.map(({ id }, i) => ({ id, answers: ANSWERS[i] })),
  );
  await finishStep(importAnswers(workspace, "math", file, { model: "closed-1" }));
  return workspace;
}

async function verify(workspace: Workspace): Promise<TraceVerdict> {
  const steps = verifyTrace(workspace, "math", { model, sample: 12 });
  for (;;) {
    const next = await steps.next();
    if (next.done) return next.value;
  }
}

describe("a trace of what another model wrote", () => {
  let workspace: Workspace;
  beforeAll(async () => {
    workspace = await openStudy();
    await finishStep(traceRuns(workspace, "math", { model, observer: {} }));
  });

  it("takes texts that were imported, graded by the study's references", async () => {
    const { runs, problems } = await readRuns(workspace.runs("math"));
    expect(problems).toEqual([]);
    expect(runs.map(({ is_correct }) => is_correct)).toEqual([
      true,
      false,
      true,
      true,
      true,
      false,
      false,
      true,
    ]);
    expect(runs[0]).toMatchObject({ model: "closed-1", question: "What is 3 + 4?", tokens: [] });
  });

  it("says who wrote and who reads, in its metadata and in every row", async () => {
    const { metadata } = await openHiddenStates(workspace.hiddenStates("math"));
    expect(metadata).toMatchObject({ mode: "observer", writer: "closed-1", model: model.provenance.id });
    expect(JSON.parse(metadata.observer_prompt!)).toMatchObject({ prompt_format: "chat" });
    const { rows } = await readJsonl(workspace.hiddenStatesIndex("math"), { parse: parseTraceRow });
    for (const { position, writer } of rows)
      expect(writer).toBe(position === "before-generation" ? undefined : "closed-1");
    const lastTokens = rows.filter(({ position }) => position === "last-token");
    expect(lastTokens).toHaveLength(8);
    expect(new Set(lastTokens.map(({ token }) => token))).toEqual(new Set(["<|im_end|>"]));
    // the empty answer has no token before its end, and the one that reasons is the only one with an end of it
    expect(rows.filter(({ position }) => position === "second-to-last")).toHaveLength(7);
    expect(rows.filter(({ position }) => position === "think-end")).toMatchObject([
      { question_id: "q1", run_id: 1, token: "</think>" },
    ]);
  });

  it("is verified in the tokens of the model that reads", async () => {
    expect((await verify(workspace)).checks.filter(({ failed }) => failed > 0)).toEqual([]);
    const original = await readFile(workspace.runs("math"), "utf8");
    await writeFile(workspace.runs("math"), original.replaceAll("It is 7.", "They are 7!"));
    const verdict = await verify(workspace);
    await writeFile(workspace.runs("math"), original);
    expect(verdict.checks.filter(({ failed }) => failed > 0).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["token"]),
    );
    expect(verdict.passed).toBe(false);
  });

  it.each<SinglePosition>(["before-generation", "second-to-last", "think-end", "last-token"])(
    "has the states at %s that a live score reads",
    async (position) => {
      const hidden = await openHiddenStates(workspace.hiddenStates("math"));
      const index = await readStateRowIndex(workspace.hiddenStatesIndex("math"));
      const probe = probeOf(model, position, { source: hidden.metadata, asking: null });
      const scorer = createScorer(model, probe);
      let compared = 0;
      for (const [q, { id, question }] of QUESTIONS.entries()) {
        for (const [run, answer] of ANSWERS[q]!.entries()) {
          const row = index.rowOf(position, id, run);
          const { score, is_given, warnings } = await scorer.score(question, { answer });
          expect(is_given).toBe(true);
          expect(warnings.join()).not.toMatch(/was given, not generated/);
          if (row === -1) {
            expect(score).toBeNull();
            continue;
          }
          const layers = await Promise.all([1, 2].map((layer) => hidden.read(position, layer, [row])));
          const values = Float32Array.from(layers.flatMap((each) => [...each]));
          const place = {
            position,
            layer: 1,
            layerCount: 2,
            width: hidden.width,
            normState: "residual",
          } as const;
          const [expected] = scoreProbe(probe, assertStates(values, { ...place, source: hidden.metadata }));
          expect(Math.abs(score! - expected!)).toBeLessThan(TOLERANCE);
          compared += 1;
        }
      }
      expect(compared).toBe(
        { "before-generation": 8, "second-to-last": 7, "think-end": 1, "last-token": 8 }[position],
      );
    },
  );

  it("is stale when the answers change, and is the same after a resumed run", async () => {
    const states = await readFile(workspace.hiddenStates("math"));
    expect((await finishStep(traceRuns(workspace, "math", { model, observer: {} }))).result.status).toBe(
      "up-to-date",
    );
    const other = await finishStep(traceRuns(workspace, "math", { model, observer: { format: "notebook" } }));
    expect(other.result.status).toBe("ran");
    expect(JSON.stringify(other.events)).toMatch(/observer/);
    expect((await readFile(workspace.hiddenStates("math"))).equals(states)).toBe(false);
    // stopped after the first question, and resumed
    const abort = new AbortController();
    const stopped = traceRuns(workspace, "math", { model, observer: {}, signal: abort.signal });
    await expect(
      (async () => {
        for await (const event of stopped)
          if (event.kind === "advanced" && event.done === 1) abort.abort(new Error("stopped"));
      })(),
    ).rejects.toThrow("stopped");
    const resumed = await finishStep(traceRuns(workspace, "math", { model, observer: {} }));
    expect(resumed.events.find(({ kind }) => kind === "started")).toMatchObject({
      total: 4,
      done: expect.toSatisfy((done: number) => done > 0 && done < 4),
    });
    expect((await readFile(workspace.hiddenStates("math"))).equals(states)).toBe(true);
    await writeJsonl(workspace.raw("math"), QUESTIONS.slice(0, 3));
    const status = new Map((await inspectStudy(workspace)).map(({ path, state }) => [path, state]));
    expect(status.get(workspace.hiddenStates("math"))).toBe("stale");
    await writeJsonl(workspace.raw("math"), QUESTIONS);
  });

  it("is the same in shards", async () => {
    const states = await readFile(workspace.hiddenStates("math"));
    const index = await readFile(workspace.hiddenStatesIndex("math"), "utf8");
    const sharded = await openStudy();
    for (const part of [1, 2]) {
      const shard = await withStudyRuns(openShard(sharded.root, { index: part, count: 2 }));
      await finishStep(traceRuns(shard, "math", { model, observer: {} }));
    }
    const merging = mergeShards(sharded.root, {});
    while (!(await merging.next()).done);
    expect((await readFile(sharded.hiddenStates("math"))).equals(states)).toBe(true);
    expect(await readFile(sharded.hiddenStatesIndex("math"), "utf8")).toBe(index);
  });

  it("leaves out what the reader cannot read, and says so", async () => {
    const own = await openStudy();
    const { runs } = await readRuns(own.runs("math"));
    const changed = runs.map((run, i) => {
      if (i === 0) return { ...run, output_text: "a<|im_end|>b" };
      if (i === 1) return { ...run, output_text: "x ".repeat(3000) };
      const { question: _question, ...rest } = run;
      return i === 2 ? rest : run;
    });
    await rm(`${own.runs("math")}.manifest.json`);
    await writeJsonl(own.runs("math"), changed);
    const { result } = await finishStep(traceRuns(own, "math", { model, observer: {} }));
    expect(result.counts.runs).toBe(5);
    const left = result.warnings.filter(({ code }) => code === "unread-answers");
    expect(left.map(({ message }) => message).join()).toMatch(
      /1 of 8 .* continue after an end token.*more than the 1024 tokens.*question is not recorded/,
    );
    await writeJsonl(
      own.runs("math"),
      runs.map(({ question: _question, ...rest }) => rest),
    );
    await expect(finishStep(traceRuns(own, "math", { model, observer: {} }))).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringMatching(/can read nothing .* 8 of 8/),
    });
  });

  it("is needed for texts without tokens", async () => {
    await expect(finishStep(traceRuns(await openStudy(), "math", { model }))).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringContaining("--observer MODEL"),
    });
  });
});

describe("a model that reads its own answers", () => {
  it("has the states of those that it wrote, where the text has the same tokens", async () => {
    const root = await mkdtemp(join(tmpdir(), "sep-observer-"));
    roots.push(root);
    const workspace = openWorkspace(root);
    await writeJsonl(workspace.raw("math"), QUESTIONS);
    const sampler = { ...PLAIN_SAMPLER, maxNewTokens: 160 };
    await finishStep(generateRuns(workspace, "math", { model, sampler, runs: 2 }));
    await finishStep(traceRuns(workspace, "math", { model }));
    const own = await openHiddenStates(workspace.hiddenStates("math"));
    const written = await own.read("second-to-last", 3, [0, 1, 2]);
    const source = own.metadata;
    await finishStep(traceRuns(workspace, "math", { model, observer: {} }));
    const read = await openHiddenStates(workspace.hiddenStates("math"));
    expect(read.metadata.mode).toBe("observer");
    const again = await read.read("second-to-last", 3, [0, 1, 2]);
    const differences = Array.from(again, (value, i) => Math.abs(value - written[i]!));
    expect(Math.max(...differences)).toBeLessThan(1e-3);
    // the same numbers, and yet another situation: nobody knows who chose the tokens
    const probe = probeOf(model, "second-to-last", { source });
    const place = {
      position: "second-to-last",
      layer: 1,
      layerCount: 2,
      width: own.width,
      normState: "residual",
    } as const;
    const values = new Float32Array(2 * own.width).fill(0.1);
    expect(() => scoreProbe(probe, assertStates(values, { ...place, source: read.metadata }))).toThrow(
      /it reads what another/,
    );
  });
});

describe("an observer's probe", () => {
  const observer = (position: SinglePosition) =>
    probeOf(model, position, {
      asking: null,
      source: {
        ...probeOf(model, position).source,
        mode: "observer",
        writer: "closed-1",
        observer_prompt: JSON.stringify({
          prompt_format: "chat",
          system_prompt: null,
          enable_thinking: null,
        }),
      },
    });

  it("refuses a question alone, unless it reads before generation", async () => {
    const late = createScorer(model, observer("second-to-last"));
    await expect(late.score("What is 3 + 4?")).rejects.toMatchObject({
      code: "answer-needed",
      message: expect.stringMatching(/second-to-last of answers that closed-1 wrote/),
    });
    const early = createScorer(model, observer("before-generation"));
    const alone = await early.score("What is 3 + 4?");
    const answered = await early.score("What is 3 + 4?", { answer: "7" });
    expect(alone).toMatchObject({ answer: null, generated_tokens: 0 });
    expect(alone.score).toBeCloseTo(answered.score!, 6);
    expect(early.notes.join()).toMatch(/observer's: the guarantee covers answers that closed-1 wrote/);
  });

  it("never scores the states of a model that generates", () => {
    const probe = observer("second-to-last");
    const { mode: _mode, ...own } = probe.source;
    const place = {
      position: "second-to-last",
      layer: 1,
      layerCount: 2,
      width: probe.width / 2,
      normState: "residual",
    } as const;
    const values = new Float32Array(probe.width).fill(0.1);
    expect(() => scoreProbe(probe, assertStates(values, { ...place, source: own }))).toThrow(
      /observer's: it was fitted on states of a model that reads what closed-1 wrote/,
    );
    expect(scoreProbe(probe, assertStates(values, { ...place, source: probe.source }))).toHaveLength(1);
  });

  it("does not take the entropies of its own tokens for those of the writer's", () => {
    const { source } = observer("second-to-last");
    const baseline = {
      ...observer("second-to-last"),
      features: "mean-think-entropy",
      position: null,
      layer: null,
    } as const;
    expect(() => createScorer(model, { ...baseline, width: 1, layer_count: 1, source })).toThrow(
      /entropies of the model that wrote/,
    );
  });
});

describe("on the command line", () => {
  const run = async (...args: string[]): Promise<{ readonly code: number; readonly text: string }> => {
    const { context, stdout, stderr } = createFakeCli();
    const code = await runCli(args, context);
    return { code, text: stdout() + stderr() };
  };

  it("imports, traces, verifies and scores what another model wrote", async () => {
    const { root } = await openStudy();
    const out = ["--out", root, "--set", "math"];
    expect((await run("import", join(root, "closed.jsonl"), "--model", "closed-2", ...out)).code).toBe(0);
    expect((await run("trace", "--observer", "pocket", "--layers", "1,2", ...out)).code).toBe(0);
    expect(await run("trace", "--observer", "pocket", "--verify", ...out)).toMatchObject({ code: 0 });
    const { metadata } = await openHiddenStates(openWorkspace(root).hiddenStates("math"));
    expect(metadata.writer).toBe("closed-2");
    const path = join(root, "probe.json");
    await saveProbe(path, probeOf(model, "second-to-last", { source: metadata, asking: null }));
    const scored = await run("score", "What is 3 + 4?", "--answer", "It is 7.", "--probe", path, "--json");
    expect(JSON.parse(scored.text)).toMatchObject({
      is_given: true,
      answer: "It is 7.",
      score: expect.any(Number),
    });
    const alone = await run("score", "What is 3 + 4?", "--probe", path, "--quiet");
    expect(alone.text).toContain("answer-needed");
    expect((await run("probe", "info", path)).text).toMatch(/pocket reads what closed-2 wrote/);
  });

  it("refuses two models, prompts without an observer, and files that do not go together", async () => {
    const trace = async (...args: string[]): Promise<string> =>
      (await run("trace", "--out", "/none", ...args)).text;
    expect(await trace("--observer", "pocket", "--model", "other")).toMatch(
      /--observer pocket and --model other/,
    );
    expect(await trace("--prompt-format", "notebook")).toMatch(/without --observer/);
    expect(await trace("--observer", "pocket", "--prompt-format", "few-shot")).toMatch(/without --shots/);
    expect((await run("import", "a.npz", "--out", "/none")).text).toMatch(/without --layer/);
    expect((await run("import", "a.jsonl", "b.jsonl", "--out", "/none")).text).toMatch(
      /single file of answers/,
    );
  });
});
