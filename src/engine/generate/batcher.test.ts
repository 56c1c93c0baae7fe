import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { eachSampled } from "../../../test/each-sampled.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../language-model.ts";
import type { Tensor } from "../runtime/runtime.ts";
import type { DecoderSession } from "../session/decoder-session.ts";
import { kvFeeds } from "../session/kv-block.ts";
import type { BatchLimits } from "./batch.ts";
import { type Batcher, createBatcher } from "./batcher.ts";
import { type SampledAnswer, sampleAnswers } from "./generate.ts";
import { createPrefill, createPromptCache, type PromptCache, runPrefill } from "./prefill.ts";
import type { SamplerSettings } from "./sampler-settings.ts";

const SAMPLER: SamplerSettings = {
  temperature: 1,
  topP: 0.95,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  maxNewTokens: 70,
  stopStrings: [],
  stopTokenIds: [3],
};
const ROOMY: BatchLimits = { rows: 40, kvBytes: 2 ** 30 };

const openTiny = (name: string): Promise<LanguageModel> =>
  loadModel(fileURLToPath(new URL(`../../../test/golden/checkpoints/${name}`, import.meta.url)), {
    threads: 1,
  });

const withLimits = (model: LanguageModel, limits: BatchLimits, threads = 1): LanguageModel => ({
  ...model,
  batcher: createBatcher({ ...model, threads }, limits),
});

/** Prompts of 1 to 300 tokens: with and without a second chunk, in spans of one to five steps of capacity. */
const promptOf = (length: number, vocabularySize: number): number[] =>
  Array.from({ length }, (_, i) => (i * 31 + length * 7) % vocabularySize);
const LENGTHS = [5, 1, 64, 65, 130, 300, 12];

const draw = (
  model: LanguageModel,
  length: number,
  { runIds = [0, 1, 2], ...options }: Partial<Parameters<typeof sampleAnswers>[2]> = {},
): Promise<SampledAnswer[]> =>
  sampleAnswers(model, promptOf(length, model.config.vocabularySize), {
    runIds,
    sampler: SAMPLER,
    seed: 5,
    streamKey: `question ${length}`,
    ...options,
  });

describe("a batch of rows after several prompts", () => {
  // grouped, single and shared key heads; masks by span, of a window and of capped scores; positions without rotation
  eachSampled([["qwen3-tied"], ["gemma2-softcaps"], ["gpt2-tied"], ["mistral-window"], ["olmo2-mha"]], {
    sample: 1,
  })("gives every answer the bits that it has alone, whatever runs beside it: %s", async (name) => {
    await using model = await openTiny(name);
    const lengths = LENGTHS.filter((length) => length + SAMPLER.maxNewTokens < model.config.maxPositions);
    const alone: SampledAnswer[][] = [];
    for (const length of lengths) {
      const answers: SampledAnswer[] = [];
      for (const runId of [0, 1, 2]) answers.push(...(await draw(model, length, { runIds: [runId] })));
      alone.push(answers);
    }
    expect(new Set(alone.flat().map(({ tokenIds }) => tokenIds.length)).size).toBeGreaterThan(3);
    for (const limits of [ROOMY, { ...ROOMY, rows: 4 }, { ...ROOMY, kvBytes: 1 }]) {
      const batched = withLimits(model, limits);
      expect(await Promise.all(lengths.map((length) => draw(batched, length)))).toEqual(alone);
    }
  });

  eachSampled([["qwen3-tied"], ["gemma2-softcaps"], ["gpt2-tied"], ["mistral-window"], ["olmo2-mha"]], {
    sample: 1,
  })(
    "keeps long beginnings once for all prompts that have them, beside prompts with others and with none: %s",
    async (name) => {
      await using model = await openTiny(name);
      const { vocabularySize, maxPositions } = model.config;
      const [many, few] = [promptOf(140, vocabularySize), promptOf(129, vocabularySize)];
      const prompts = [
        ...[1, 9, 70].map((length) => ({ common: many, own: promptOf(length, vocabularySize) })),
        ...[2, 30].map((length) => ({ common: few, own: promptOf(length, vocabularySize) })),
        { common: [], own: promptOf(8, vocabularySize) },
      ].filter(({ common, own }) => common.length + own.length + SAMPLER.maxNewTokens < maxPositions);
      expect(prompts.length).toBeGreaterThan(2);
      const drawFrom = (
        batcher: Batcher,
        { common, own }: (typeof prompts)[0],
        isShared: boolean,
        runIds = [0, 1],
      ) =>
        sampleAnswers({ ...model, batcher }, [...common, ...own], {
          ...{ runIds, sampler: SAMPLER, seed: 3, streamKey: `question ${own.length}` },
          sharedTokens: isShared ? [common.length] : [],
        });
      const open = (session = model.session, limits = ROOMY): Batcher =>
        createBatcher({ session, cache: createPromptCache(2 ** 24), threads: 1 }, limits);
      const alone: SampledAnswer[][] = [];
      for (const prompt of prompts) {
        const answers: SampledAnswer[] = [];
        for (const runId of [0, 1]) answers.push(...(await drawFrom(open(), prompt, true, [runId])));
        alone.push(answers);
        // the numbers are those of the whole prompt in one piece, but for float32's rounding
        const whole = await drawFrom(open(), prompt, false);
        for (const [row, { tokenIds, logprobs }] of whole.entries()) {
          expect(answers[row]?.tokenIds).toEqual(tokenIds);
          for (const [at, logprob] of logprobs.entries())
            expect(Math.abs((answers[row]?.logprobs[at] as number) - logprob)).toBeLessThan(2e-4);
        }
      }
      const commons: number[] = [];
      const session: DecoderSession = {
        ...model.session,
        run: (pass) => {
          if (pass.prefix.capacity > 0) commons.push(pass.common?.rows as number);
          return model.session.run(pass);
        },
      };
      for (const limits of [ROOMY, { ...ROOMY, rows: 3 }, { ...ROOMY, kvBytes: 1 }]) {
        const batcher = open(session, limits);
        expect(await Promise.all(prompts.map((prompt) => drawFrom(batcher, prompt, true)))).toEqual(alone);
      }
      // the two beginnings and nothing, never one for each prompt
      expect(Math.max(...commons)).toBe(new Set(prompts.map(({ common }) => common)).size);
    },
  );

  it("runs what prompts begin with once, and gives the bits that each has without", async () => {
    await using model = await openTiny("qwen3-tied");
    const shared = promptOf(70, model.config.vocabularySize);
    const prompts = [3, 40, 1].map((length) => [...shared, ...promptOf(length, model.config.vocabularySize)]);
    const options = {
      runIds: [0, 1],
      sampler: SAMPLER,
      seed: 1,
      streamKey: "q",
      sharedTokens: [shared.length],
    };
    let tokens = 0;
    const session: DecoderSession = {
      ...model.session,
      run: (pass) => {
        tokens += pass.prefix.capacity === 0 ? pass.tokenIds.length : 0;
        return model.session.run(pass);
      },
    };
    const cached = createBatcher({ session, cache: createPromptCache(2 ** 24), threads: 1 }, ROOMY);
    const uncached = createBatcher({ session, threads: 1 }, ROOMY);
    const drawAll = (batcher: Batcher): Promise<SampledAnswer[][]> =>
      Promise.all(prompts.map((prompt) => sampleAnswers({ ...model, batcher }, prompt, options)));
    const drawn = await drawAll(cached);
    expect(tokens).toBe(70 + 3 + 40 + 1);
    expect(await drawAll(cached)).toEqual(drawn); // prompts and all
    expect(tokens).toBe(70 + 3 + 40 + 1);
    expect(await drawAll(uncached)).toEqual(drawn);
  });

  it("runs of a conversation only its last turn, and gives the bits of one that is run as a whole", async () => {
    await using model = await openTiny("qwen3-tied");
    const { vocabularySize } = model.config;
    const turns = [promptOf(40, vocabularySize), promptOf(300, vocabularySize), promptOf(35, vocabularySize)];
    const ends = [40, 340];
    let tokens = 0;
    const session: DecoderSession = {
      ...model.session,
      run: (pass) => {
        tokens += pass.tokenIds.length;
        return model.session.run(pass);
      },
    };
    const run = async (tokenIds: readonly number[], sharedTokens: readonly number[], cache?: PromptCache) => {
      const prompt = { tokenIds, sharedTokens };
      const { logits, residual } = await runPrefill(createPrefill(session, prompt, { cache, layers: [1] }));
      return [logits, residual];
    };
    const cache = createPromptCache(2 ** 24);
    await run([...turns[0]!, 5, 6, 7], ends.slice(0, 1), cache);
    await run([...turns[0]!, ...turns[1]!, 5], ends, cache);
    expect(tokens).toBe(43 + 300 + 1);
    const whole = turns.flat();
    const known = await run(whole, ends, cache);
    expect(tokens).toBe(43 + 300 + 1 + 35);
    expect(await run(whole, ends)).toEqual(known);
    expect(tokens).toBe(43 + 300 + 1 + 35 + 375);
  });

  describe("with prompts that wait while rows run", () => {
    /** What each pass was: a step of so many rows, or so many tokens of a prompt, at most 256 between two steps. */
    async function watch(lengths: readonly number[]) {
      await using model = await openTiny("qwen3-tied");
      const passes: { readonly kind: "step" | "prompt"; readonly count: number }[] = [];
      const session: DecoderSession = {
        ...model.session,
        run: (pass) => {
          const isStep = pass.prefix.capacity > 0;
          passes.push({ kind: isStep ? "step" : "prompt", count: isStep ? pass.rows : pass.tokenIds.length });
          return model.session.run(pass);
        },
      };
      const batcher = createBatcher({ session, threads: 1 }, ROOMY);
      const sampler = { ...SAMPLER, maxNewTokens: 40, stopTokenIds: [] };
      const begun: number[] = [];
      await Promise.all(
        lengths.map((length) =>
          sampleAnswers({ ...model, batcher }, promptOf(length, model.config.vocabularySize), {
            runIds: [0],
            sampler,
            seed: 1,
            streamKey: String(length),
          }).then(() => begun.push(length)),
        ),
      );
      const prompts = passes
        .map(({ kind, count }) => (kind === "step" ? "|" : String(count)))
        .join(" ")
        .replaceAll(/(\| ?)+/g, "| ");
      return { prompts: prompts.trim(), ended: begun };
    }

    it("runs as many prompts between two steps as one chunk of a long prompt has tokens", async () => {
      // the oldest first, then the shortest that are left; one more would make it 311
      expect((await watch([60, 65, 61, 62, 64, 63])).prompts).toBe("60 65 61 62 | 63 64 |");
    });

    it("lets neither a long prompt hold up short ones, nor those a long prompt", async () => {
      const { prompts, ended } = await watch([5, 300, 12, 13, 256, 14]);
      // all that is short comes in the gaps that the chunks of the long ones leave
      expect(prompts).toBe("5 12 13 14 | 256 | 256 | 44 |");
      expect(ended.slice(0, 4).sort()).toEqual([12, 13, 14, 5]);
    });
  });

  it("counts how full its passes are", async () => {
    await using model = await openTiny("qwen3-tied");
    const batched = withLimits(model, { ...ROOMY, rows: 4 });
    expect(batched.batcher.usage).toEqual({ passes: 0, rows: 0, room: 0, short: 0 });
    const sampler = { ...SAMPLER, maxNewTokens: 6, stopTokenIds: [] };
    // the first token follows from the prompt: five passes of three rows
    await draw(batched, 12, { sampler });
    expect(batched.batcher.usage).toEqual({ passes: 5, rows: 15, room: 20, short: 0 });
    // of six rows four run, then the two that waited
    await Promise.all([5, 12].map((length) => draw(batched, length, { sampler })));
    expect(batched.batcher.usage).toEqual({ passes: 15, rows: 45, room: 60, short: 0 });
    // with memory for a single row: one after the other, of which the last waits for no memory
    const narrow = withLimits(model, { rows: 4, kvBytes: 1 });
    await draw(narrow, 12, { sampler });
    expect(narrow.batcher.usage).toEqual({ passes: 15, rows: 15, room: 60, short: 10 });
  });

  it("keeps the arrays of keys and values while answers grow, even beyond their first capacities", async () => {
    await using model = await openTiny("qwen3-tied");
    const buffers = new Set<ArrayBufferLike>();
    const capacities = new Set<number>();
    const session: DecoderSession = {
      ...model.session,
      run: (pass) => {
        if (pass.prefix.capacity > 0 && pass.suffix.capacity > 0) {
          const [keys] = Object.values(kvFeeds(model.config, "suffix", pass.suffix)) as [Tensor];
          buffers.add((keys.data as Float32Array).buffer);
          capacities.add(pass.suffix.capacity);
        }
        return model.session.run(pass);
      },
    };
    const counted = { ...model, batcher: createBatcher({ session, threads: 1 }, ROOMY) };
    await draw(counted, 12, { sampler: { ...SAMPLER, maxNewTokens: 200, stopTokenIds: [] } });
    expect(capacities.size).toBeGreaterThan(5);
    expect(buffers.size).toBe(1);
  });

  it("runs rows that have the same tokens so far as one, and gives the bits that each has alone", async () => {
    await using model = await openTiny("qwen3-tied");
    const runIds = [0, 1, 2, 3, 4, 5];
    const widths: number[] = [];
    const session: DecoderSession = {
      ...model.session,
      run: (pass) => {
        if (pass.prefix.capacity > 0) widths.push(pass.rows);
        return model.session.run(pass);
      },
    };
    const counted = {
      ...model,
      batcher: createBatcher({ session, threads: 1 }, ROOMY),
    };
    const sampler = { ...SAMPLER, temperature: 0.35, maxNewTokens: 30 };
    const alone: SampledAnswer[] = [];
    for (const runId of runIds) alone.push(...(await draw(model, 12, { runIds: [runId], sampler })));
    expect(await draw(counted, 12, { runIds, sampler })).toEqual(alone);
    // how many different beginnings there are, which the passes must have run once each
    const beginnings = (tokens: number): number =>
      new Set(
        alone
          .filter(({ tokenIds }) => tokenIds.length > tokens)
          .map(({ tokenIds }) => String(tokenIds.slice(0, tokens))),
      ).size;
    const expected = Array.from({ length: 29 }, (_, i) => beginnings(i + 1)).filter((count) => count > 0);
    expect(widths).toEqual(expected);
    expect(expected[0]).toBeLessThan(runIds.length);
    expect(Math.max(...expected)).toBeGreaterThan(expected[0] as number);
    widths.length = 0;
    const greedy = { ...sampler, temperature: 0 };
    const [first, ...others] = await draw(counted, 12, { runIds, sampler: greedy });
    for (const other of others) expect(other.tokenIds).toEqual(first?.tokenIds);
    expect(new Set(widths)).toEqual(new Set([1]));
  });

  it("lets other rows end when a reader leaves, and when a job is stopped", async () => {
    await using model = await openTiny("qwen3-tied");
    const alone = await draw(model, 12);
    const abort = new AbortController();
    const stopped = draw(model, 65, { signal: abort.signal });
    const kept = draw(model, 12);
    abort.abort(new Error("stopped here"));
    await expect(stopped).rejects.toThrow("stopped here");
    expect(await kept).toEqual(alone);
    await expect(draw(model, 5, { signal: abort.signal })).rejects.toThrow("stopped here");
    expect(await draw(model, 12)).toEqual(alone);
  });

  it("fails every job of a pass that fails, and serves the next", async () => {
    await using model = await openTiny("qwen3-tied");
    let left = 3;
    const session = {
      ...model.session,
      run: (pass: Parameters<typeof model.session.run>[0]) =>
        left-- > 0 ? model.session.run(pass) : Promise.reject(new Error("no device")),
    };
    const failing = {
      ...model,
      batcher: createBatcher({ session, threads: 1 }, ROOMY),
    };
    const drawn = await Promise.allSettled([draw(failing, 5), draw(failing, 12)]);
    expect(drawn.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    left = Number.POSITIVE_INFINITY;
    expect(await draw(failing, 12)).toEqual(await draw(model, 12));
  });
});

it("gives the same bits in passes that are split among threads", async () => {
  const path = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
  await using model = await loadModel(path, { threads: 4 });
  const split = withLimits(model, ROOMY, 4);
  const alone = await draw(split, 130);
  const [beside] = await Promise.all([draw(split, 130), draw(split, 300), draw(split, 5)]);
  expect(beside).toEqual(alone);
});
