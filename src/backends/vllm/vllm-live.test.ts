import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { type FakeVllm, startFakeVllm } from "../../../test/fakes/fake-vllm.ts";
import { asking, probeOf } from "../../../test/fakes/model-probe.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { TRACE_POSITIONS } from "../../engine/places.ts";
import { buildPrompt } from "../../engine/tokenizer/build-prompt.ts";
import { drain } from "../../net/map-concurrently.ts";
import { parseServerAddresses } from "../../net/server-address.ts";
import { createServerPool, type ServerPool } from "../../net/server-pool.ts";
import { createScorer, scoreQuestion } from "../../serve/score-question.ts";
import { saveProbe } from "../../study/probe-files.ts";
import type { LiveEvent, LiveModel } from "../live-model.ts";
import { openVllmLive } from "./vllm-live.ts";

const LAYERS = [0, 1, 2, 3, 4];
const QUESTION = "What is 48 - 19?";
const SERVED = { name: "pocket", maxModelLength: null };
/** Passes of other lengths add up float32 numbers in another order. */
const TOLERANCE = 1e-5;

let model: LanguageModel;
let folder: string;
let server: FakeVllm;
let pool: ServerPool;
let live: LiveModel;
beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
  folder = await mkdtemp(join(tmpdir(), "sep-live-"));
  server = await startFakeVllm({ model, states: { folder, layers: LAYERS } });
  pool = createServerPool(parseServerAddresses(server.url, "--vllm-url"));
  live = await drain(openVllmLive({ model, pool, served: SERVED, layers: LAYERS, waitMs: 2_000 }));
});
afterAll(async () => {
  await live[Symbol.asyncDispose]();
  await pool[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const prompt = () => buildPrompt(model.tokenizer, QUESTION);
const GREEDY = { ...PLAIN_SAMPLER, temperature: 0, maxNewTokens: 160 };

async function collect(events: AsyncGenerator<LiveEvent, unknown>): Promise<LiveEvent[]> {
  const all: LiveEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe("vLLM, live", () => {
  it("streams token by token, and then has the states of all tokens from the same request", async () => {
    const before = server.requests.length;
    const options = { sampler: GREEDY, runIds: [0, 1], layers: [4], topLogprobs: 3 };
    const events = await collect(live.generate(prompt(), options));
    expect(server.requests.length - before).toBe(2);
    for (const row of [0, 1]) {
      const own = events.filter((event) => event.row === row);
      const end = own.at(-1);
      if (end?.kind !== "end") throw new Error("the last event is the end");
      const { tokenIds, text } = end.answer;
      const tokens = own.filter((event) => event.kind === "token");
      expect(tokens.map(({ tokenId }) => tokenId)).toEqual(tokenIds);
      expect(tokens.map(({ delta }) => delta).join("")).toBe(text);
      for (const { top, tokenId, logprob } of tokens) {
        expect(top.length).toBe(3);
        expect(top[0]).toEqual({ tokenId, logprob }); // greedy
      }
      const states = own.find((event) => event.kind === "states");
      const positions = [-1, ...tokenIds.keys()].map((i) => prompt().tokenIds.length + i);
      const whole = [...prompt().tokenIds, ...tokenIds];
      const { residuals } = await model.trace(whole, { positions, layers: [4] });
      const got = Float32Array.from(states?.residuals.flatMap((each) => [...each]) ?? []);
      expectAllClose(got, residuals, TOLERANCE * scaleOf(residuals));
    }
  });

  it.each(TRACE_POSITIONS)("says at %s what the engine says", async (position) => {
    const probe = probeOf(model, position, { asking: asking({ prompt_format: "chat", sampler: GREEDY }) });
    const { source, ...rest } = probe;
    const { weights_sha256: _, dtype: __, ...own } = source;
    // a server does not say which weights it has
    const scorer = createScorer(live, { ...rest, source: { ...own, ...live.source } });
    for (const options of [{}, { answer: "<think>\n8-9\n</think>\n\n\\boxed{39}" }]) {
      const { score, risk, ...said } = await scorer.score(QUESTION, options);
      const expected = await scoreQuestion(model, probe, QUESTION, options);
      expect(said).toMatchObject({ answer: expected.answer, read_at: expected.read_at });
      expect(Math.abs((score as number) - (expected.score as number))).toBeLessThan(TOLERANCE);
      expect(Math.abs((risk as number) - (expected.risk as number))).toBeLessThan(TOLERANCE);
    }
  });

  it("answers `sep score`", async () => {
    const probe = probeOf(model, "think-end", { asking: asking({ prompt_format: "chat", sampler: GREEDY }) });
    const { weights_sha256: _, dtype: __, ...own } = probe.source;
    const path = join(folder, "probe.json");
    await saveProbe(path, { ...probe, source: { ...own, ...live.source } });
    const cli = createFakeCli();
    const vllm = ["--backend", "vllm", "--vllm-url", server.url, "--model", "pocket"];
    expect(await runCli(["score", QUESTION, "--probe", path, ...vllm, "--json"], cli.context)).toBe(0);
    const { score, answer } = JSON.parse(cli.stdout());
    const expected = await scoreQuestion(model, probe, QUESTION);
    expect(answer).toBe(expected.answer);
    expect(Math.abs(score - (expected.score as number))).toBeLessThan(TOLERANCE);
    await rm(path);
    await rm(join(folder, "probe.safetensors"));
  });

  it("leaves no file behind when nobody wants the states, or a client goes away", async () => {
    await collect(live.generate(prompt(), { sampler: GREEDY }));
    const events = live.generate(prompt(), { sampler: GREEDY, runIds: [0, 1, 2], layers: [0] });
    for (let i = 0; i < 4; i++) await events.next();
    await events.return([]);
    const abort = new AbortController();
    const aborted = live.generate(prompt(), { sampler: GREEDY, layers: [0], signal: abort.signal });
    await aborted.next();
    abort.abort(new Error("enough"));
    await expect(collect(aborted)).rejects.toThrow("enough");
    await expect.poll(() => readdir(folder), { timeout: 20_000 }).toEqual([]);
  }, 30_000);

  it("says so when the server breaks off in the middle, and when it extracts nothing", async () => {
    let isBreaking = false;
    await using broken = await startFakeVllm({
      model,
      states: { folder, layers: LAYERS },
      fault: () => (isBreaking ? { kind: "cut" } : null),
    });
    await using brokenPool = createServerPool(parseServerAddresses(broken.url, "--vllm-url"));
    const parts = { model, served: SERVED, layers: LAYERS, waitMs: 2_000 };
    await using opened = await drain(openVllmLive({ ...parts, pool: brokenPool }));
    isBreaking = true;
    await expect(collect(opened.generate(prompt(), { sampler: GREEDY, layers: [0] }))).rejects.toMatchObject({
      code: "server-unreachable",
      message: expect.stringContaining("broke off in the middle of an answer"),
    });
    await using plain = await startFakeVllm({ model });
    await using plainPool = createServerPool(parseServerAddresses(plain.url, "--vllm-url"));
    await expect(drain(openVllmLive({ ...parts, pool: plainPool }))).rejects.toMatchObject({
      code: "bad-states",
    });
  });

  it("takes the layers of a probe from a server that extracts all, and refuses other counts", async () => {
    const parts = { model, pool, served: SERVED, waitMs: 2_000 };
    await using one = await drain(openVllmLive({ ...parts, layers: [2] }));
    const [whole, part] = [
      await collect(live.generate(prompt(), { sampler: GREEDY, layers: [2] })),
      await collect(one.generate(prompt(), { sampler: GREEDY, layers: [2] })),
    ];
    expect(part).toEqual(whole);
    await using few = await startFakeVllm({ model, states: { folder, layers: [0, 1, 3] } });
    await using fewPool = createServerPool(parseServerAddresses(few.url, "--vllm-url"));
    await expect(drain(openVllmLive({ ...parts, pool: fewPool, layers: [2] }))).rejects.toMatchObject({
      code: "bad-states",
      message: expect.stringContaining("extracts 3 layers, expected layers 2 or all 5"),
    });
  });

  it("refuses what it cannot name", async () => {
    const asked = { sampler: GREEDY, topLogprobs: 21 };
    await expect(live.generate(prompt(), asked).next()).rejects.toThrow(/top_logprobs/);
    const long = buildPrompt(model.tokenizer, "why ".repeat(5_000));
    await expect(live.generate(long, { sampler: GREEDY }).next()).rejects.toMatchObject({
      code: "prompt-too-long",
    });
  });
});
