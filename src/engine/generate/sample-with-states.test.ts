import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../language-model.ts";
import {
  PLACES,
  POSITION_INDICES,
  SINGLE_POSITIONS,
  TRACE_POSITIONS,
  type TracePosition,
} from "../places.ts";
import { buildPrompt } from "../tokenizer/build-prompt.ts";
import type { BatchJob } from "./batcher.ts";
import { sumScores } from "./choose-token.ts";
import { sampleAnswers } from "./generate.ts";
import type { Prediction } from "./prediction.ts";
import { sampleWithStates } from "./sample-with-states.ts";
import type { SamplerSettings } from "./sampler-settings.ts";
import { splitReasoning } from "./split-reasoning.ts";

const LAYERS = [0, 1, 2];

describe("sampleWithStates", () => {
  let tiny: LanguageModel;
  let pocket: LanguageModel;
  beforeAll(async () => {
    tiny = await loadModel(
      fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url)),
      { threads: 1 },
    );
    pocket = await loadModel("pocket", { threads: 1 });
  });
  afterAll(async () => {
    await tiny[Symbol.asyncDispose]();
    await pocket[Symbol.asyncDispose]();
  });

  // pocket reasons between tags that are tokens, and its stop string spans several tokens
  it.each<[string, Partial<SamplerSettings>, readonly TracePosition[]]>([
    ["pocket", { maxNewTokens: 160 }, SINGLE_POSITIONS],
    ["pocket", { maxNewTokens: 160, stopStrings: ["nswer: "] }, SINGLE_POSITIONS],
    ["tiny", { maxNewTokens: 1 }, SINGLE_POSITIONS],
    ["tiny", { maxNewTokens: 12 }, SINGLE_POSITIONS],
    ["pocket", { maxNewTokens: 160 }, TRACE_POSITIONS],
    ["pocket", { maxNewTokens: 160 }, ["before-generation", "second-to-last", "every-token"]],
    ["pocket", { maxNewTokens: 160, stopStrings: ["nswer: "] }, ["second-to-last"]],
    ["tiny", { maxNewTokens: 12 }, ["sentence-end"]],
  ])(
    "draws the bits of sampleAnswers, and reads what a trace reads: %s, %j",
    async (name, changed, positions) => {
      const model = name === "pocket" ? pocket : tiny;
      const prompt = buildPrompt(model.tokenizer, "What is 12 + 7?");
      const options = {
        runIds: [0, 1, 2, 3],
        sampler: { ...PLAIN_SAMPLER, ...changed },
        seed: 3,
        streamKey: "q",
      };
      const plain = await sampleAnswers(model, prompt.tokenIds, options);
      let placed = 0;
      for (const indices of POSITION_INDICES) {
        const wanted = { layers: LAYERS, positions, indices };
        const drawn = await sampleWithStates(model, prompt, { ...options, states: wanted });
        expect(drawn.map(({ states: _, ...answer }) => answer)).toEqual(plain);
        for (const { states, ...answer } of drawn) {
          const { status, span } = splitReasoning(model.tokenizer, {
            ...answer,
            opensReasoning: prompt.opensReasoning,
          });
          const of = {
            prompt_tokens: prompt.tokenIds,
            tokens: answer.tokenIds,
            think_status: status,
            think_token_indices: span,
          };
          const counting = { answerTokens: answer.answerTokenCount, indices, decode: model.tokenizer.decode };
          const expected = positions.flatMap((position) =>
            PLACES[position].tokens({ ...of, output_text: answer.text }, counting).map(({ index }) => index),
          );
          expect(states.map(({ index }) => index)).toEqual([...new Set(expected)]);
          placed += status === "closed" ? 1 : 0;
          const { residuals } = await model.trace([...prompt.tokenIds, ...answer.tokenIds], {
            layers: LAYERS,
            positions: states.map(({ index }) => index),
          });
          // rows of one token sum in another order than one row of many
          const read = states.flatMap(({ residual }) => [...residual]);
          expectAllClose(read, residuals, 1e-5 * scaleOf(residuals));
        }
      }
      if (name === "pocket" && !("stopStrings" in changed)) expect(placed).toBeGreaterThan(0);
    },
  );
});

describe("where the reasoning ends", () => {
  const WORDS = ["<think>", "</think>", "a", "b", " ", "E", "<", "think", ">", "</"];
  const ids = (text: string): number[] => text.split("|").map((word) => WORDS.indexOf(word));

  /** Plays an answer; the state at token k of it is [k], and [-1] at the prompt's end. */
  function playing(
    tokens: readonly number[],
    tags: "tokens" | "pieces",
    decoded = { count: 0 },
  ): LanguageModel {
    const tokenId = (text: string) =>
      tags === "tokens" && WORDS.includes(text) ? WORDS.indexOf(text) : null;
    return {
      config: { maxPositions: 10_000 },
      endTokenIds: new Set([WORDS.indexOf("E")]),
      tokenizer: {
        decode: (list: readonly number[]) => {
          decoded.count += list.length;
          return list.map((id) => WORDS[id]).join("");
        },
        tokenId,
        addedTokens: new Map(WORDS.flatMap((word) => (tokenId(word) === null ? [] : [[word, {}]]))),
      },
      batcher: {
        submit(job: BatchJob) {
          for (const [k, token] of tokens.entries()) {
            const logits = new Float32Array(WORDS.length);
            logits[token] = 9;
            const rest = { scores: sumScores(logits, 1), entropy: 0, logprob: () => 0 };
            const step = job.next(0, { ...rest, residual: Float32Array.of(k - 1) } satisfies Prediction);
            if (step?.isLast) job.close(0, Float32Array.of(k));
          }
          job.finish();
          return () => undefined;
        },
      },
    } as unknown as LanguageModel;
  }

  async function readThinkEnd(
    tokens: readonly number[],
    { tags = "tokens", opensReasoning = false, decoded = { count: 0 } } = {},
  ): Promise<readonly (readonly number[])[]> {
    const model = playing(tokens, tags as "tokens" | "pieces", decoded);
    const prompt = { tokenIds: [2, 2, 2], opensReasoning };
    const [answer] = await sampleWithStates(model, prompt, {
      runIds: [0],
      sampler: { ...PLAIN_SAMPLER, temperature: 0, maxNewTokens: tokens.length },
      seed: 1,
      streamKey: "",
      states: { layers: [0], positions: ["think-end"], indices: "exact" },
    });
    return answer!.states.map(({ index, residual }) => [index - prompt.tokenIds.length, residual[0]!]);
  }

  it.each([
    ["<think>|a|b|</think>|a|b|a|E", {}, 3],
    ["a|b|</think>|a|b|a|E", { opensReasoning: true }, 2],
    ["a|b|</think>|a|b|a|E", {}, 2],
    ["<think>|a|</think>|</think>|b|a|a|E", {}, 2],
    // an end with nothing in front of it is none once reasoning is opened
    [" |</think>|a|<think>|b|</think>|a|b|a|E", {}, 5],
    ["</think>|a|<think>|b|</think>|a|</think>|b|a|E", {}, 4],
    ["</think>|a|b|a|b|E", {}, 0],
    ["</think>|a|b|a|b|E", { opensReasoning: true }, 0],
    ["<|think|>|a|</|think|>|b|a|b|E", { tags: "pieces" }, 6],
    ["a|</|think|>|b|a|b|E", { tags: "pieces" }, null],
    ["<think>|a|b|a|b|a|b|E", {}, null],
  ])("%s %j", async (text, options, offset) => {
    expect(await readThinkEnd(ids(text), options)).toEqual(offset === null ? [] : [[offset, offset]]);
  });

  it.each(["tokens", "pieces"])(
    "looks for it in linear time, however often it seems to come: %s",
    async (tags) => {
      const counts: number[] = [];
      for (const repeats of [100, 200]) {
        const decoded = { count: 0 };
        await readThinkEnd(ids(`${"</think>|".repeat(repeats)}E`), { tags, decoded });
        counts.push(decoded.count);
      }
      expect(counts[1]! / counts[0]!).toBeLessThan(3);
    },
  );
});
