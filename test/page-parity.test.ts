import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Fork, Reading, Reply } from "../apps/page/src/messages.ts";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { POCKET_FOLDER } from "../src/checkpoint/locate-checkpoint.ts";
import { generate, sampleAnswers } from "../src/engine/generate/generate.ts";
import { splitReasoning } from "../src/engine/generate/split-reasoning.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { buildPrompt } from "../src/engine/tokenizer/build-prompt.ts";
import { measureMeanings } from "../src/entropy/portable-entropy.ts";
import { mean } from "../src/math/vector.ts";
import { applyCalibration } from "../src/probes/calibration.ts";
import type { Probe } from "../src/probes/probe.ts";
import { assertStates, scoreProbe } from "../src/probes/score-probe.ts";
import { loadQuestions } from "../src/samples/load-questions.ts";
import { loadProbe } from "../src/study/probe-files.ts";
import { FIREFOX, stageFirefox } from "./fakes/firefox-stage.ts";
import { CHROMIUM, type EngineStage, SWIFTSHADER, stagePage } from "./fakes/page-stage.ts";

const SEED = 42;
/** float32 sums in another order, through a probe and a logistic curve. */
const RISK_TOLERANCE = 1e-4;

describe("the page beside Node", () => {
  let model: LanguageModel;
  let probes: { readonly answer: Probe; readonly layers: readonly Probe[] };

  beforeAll(async () => {
    model = await loadModel("pocket", { threads: 1 });
    probes = {
      answer: await loadProbe(join(POCKET_FOLDER, "probes/accuracy_probe.json")),
      layers: await Promise.all(
        [1, 2, 3, 4].map((layer) => loadProbe(join(POCKET_FOLDER, `page/layer-${layer}.json`))),
      ),
    };
  }, 180_000);
  afterAll(async () => {
    await model[Symbol.asyncDispose]();
  });

  /** The same answer with Node's engine, and what the probes say along it. */
  async function answerHere(question: string) {
    const { sampler } = probes.answer.asking as NonNullable<Probe["asking"]>;
    const prompt = buildPrompt(model.tokenizer, question, { format: "chat" });
    const events = generate(model, prompt, { sampler, seed: SEED, streamKey: question });
    let step = await events.next();
    while (!step.done) step = await events.next();
    const [answer] = step.value;
    if (answer === undefined) throw new Error("no answer");
    const { residuals } = await model.trace([...prompt.tokenIds, ...answer.tokenIds]);
    const width = model.config.hiddenSize;
    const layers = model.config.blockCount + 1;
    const read = (probe: Probe, token: number): number => {
      const at = ((prompt.tokenIds.length + token) * layers + (probe.layer as number)) * width;
      const states = assertStates(residuals.subarray(at, at + width), {
        position: "think-end",
        layer: probe.layer as number,
        width,
        normState: "residual",
      });
      const [score] = scoreProbe(probe, states) as unknown as [number];
      return probe.calibration_map === null ? score : applyCalibration(probe.calibration_map, score);
    };
    return { prompt, answer, read, sampler };
  }

  async function expectSameAnswer(
    stage: EngineStage,
    question: string,
    id: number,
    timeoutMs?: number,
  ): Promise<void> {
    const replies = await stage.request({ kind: "ask", id, question, seed: SEED }, "answered", timeoutMs);
    const { answer, read } = await answerHere(question);
    const tokens = replies.filter((reply) => reply.kind === "token");
    expect(tokens.map(({ text }) => text)).toEqual(
      answer.tokenIds.map((token) => model.tokenizer.decode([token])),
    );
    expect(tokens.map(({ delta }) => delta).join("")).toBe(answer.text);
    const readings = replies.filter((reply) => reply.kind === "reading") as (Reading & Reply)[];
    expect(readings.map(({ index }) => index)).toEqual(
      answer.tokenIds.map((_, index) => index - 1).concat(answer.tokenIds.length - 1),
    );
    for (const { index, risk, layers } of readings) {
      expect(Math.abs((risk as number) - read(probes.answer, index))).toBeLessThan(RISK_TOLERANCE);
      expect(layers[0]).toBeNull();
      for (const [layer, probe] of probes.layers.entries())
        expect(Math.abs((layers[layer + 1] as number) - read(probe, index))).toBeLessThan(RISK_TOLERANCE);
    }
  }

  async function expectSameEntropy(stage: EngineStage, question: string, id: number): Promise<void> {
    const [fork] = (await stage.request({ kind: "fork", id, at: -1 }, "forked")).filter(
      (reply) => reply.kind === "forked",
    ) as Fork[];
    const { prompt, sampler } = await answerHere(question);
    const runIds = Array.from({ length: 10 }, (_, run) => run);
    const samples = await sampleAnswers(model, prompt.tokenIds, {
      runIds,
      sampler,
      seed: SEED,
      streamKey: question,
    });
    const expected = await measureMeanings({
      question,
      texts: samples.map(
        (sample) =>
          splitReasoning(model.tokenizer, { ...sample, opensReasoning: prompt.opensReasoning }).answerText,
      ),
      meanLogprobs: samples.map(({ logprobs }) => mean(logprobs)),
    });
    expect(fork?.samples.map(({ answer }) => answer)).toEqual(expected.answers);
    expect(fork?.samples.map(({ meaning }) => meaning)).toEqual(expected.clusterIds);
    expect(Math.abs((fork?.semanticEntropy ?? NaN) - expected.semanticEntropy)).toBeLessThan(RISK_TOLERANCE);
  }

  /** Asks and forks behind the question, on WebAssembly. */
  async function expectSameOnAll(stage: EngineStage, questions: readonly string[]): Promise<void> {
    await stage.open("engine=wasm");
    await stage.ready();
    for (const [index, question] of questions.entries()) {
      await expectSameAnswer(stage, question, 1000 + index);
      await expectSameEntropy(stage, question, 1000 + index);
    }
    expect(stage.takeComplaints()).toEqual([]);
  }

  const BROWSERS = [
    { name: "Chromium", path: CHROMIUM, start: () => stagePage() },
    { name: "Firefox", path: FIREFOX, start: stageFirefox },
  ];
  describe.each(BROWSERS)("in $name", ({ name, path, start }) => {
    const missing = existsSync(path) ? null : `${name} is not installed at ${path}.`;

    it("answers as Node does, with the same risks, and the same semantic entropy", {
      timeout: 300_000,
    }, async ({ skip }) => {
      if (missing !== null) skip(missing);
      await using stage = await start();
      const { questions } = await loadQuestions("arithmetic", { limit: 2 });
      await expectSameOnAll(
        stage,
        questions.map(({ question }) => question),
      );
    });

    it("does so for fifty questions", { tags: ["long"], timeout: 900_000 }, async ({ skip }) => {
      if (missing !== null) skip(missing);
      await using stage = await start();
      const { questions } = await loadQuestions("arithmetic", { limit: 300 });
      await expectSameOnAll(
        stage,
        questions.filter((_, at) => at % 6 === 0).map(({ question }) => question),
      );
    });
  });

  it("does so on WebGPU, which a software adapter has", {
    tags: ["long"],
    timeout: 400_000,
  }, async ({ skip }) => {
    if (!existsSync(CHROMIUM)) skip(`Chromium is not installed at ${CHROMIUM}.`);
    await using gpu = await stagePage(SWIFTSHADER);
    await gpu.open("engine=webgpu");
    await gpu.ready();
    expect(await gpu.said("header")).toContain("runs on WebGPU");
    await expectSameAnswer(gpu, "Solve 3 * 9.", 1000, 300_000);
    expect(gpu.takeComplaints()).toEqual([]);
  });
});
