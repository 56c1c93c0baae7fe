import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scaleOf } from "../../../test/expect-all-close.ts";
import { PLAIN_SAMPLER as SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../language-model.ts";
import { buildPrompt } from "../tokenizer/build-prompt.ts";
import type { ChatMessage } from "../tokenizer/chat-template.ts";
import { type EndEvent, type GenerationEvent, generate, sampleAnswers, type TokenEvent } from "./generate.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
const DRAW = { runIds: [0, 1, 2, 3], sampler: SAMPLER, seed: 7, streamKey: "q" };

let tiny: LanguageModel;
let pocket: LanguageModel;
beforeAll(async () => {
  tiny = await loadModel(CHECKPOINT, { threads: 1 });
  pocket = await loadModel("pocket", { threads: 1 });
});
afterAll(async () => {
  await tiny[Symbol.asyncDispose]();
  await pocket[Symbol.asyncDispose]();
});

async function play<Result>(events: AsyncGenerator<GenerationEvent, Result>) {
  const tokens: TokenEvent[] = [];
  const ends: EndEvent[] = [];
  for (;;) {
    const next = await events.next();
    if (next.done) return { tokens, ends, answers: next.value };
    if (next.value.kind === "token") tokens.push(next.value);
    else ends.push(next.value);
  }
}

describe("generate", () => {
  const promptIds = () => buildPrompt(pocket.tokenizer, "What is 12 + 7?").tokenIds;

  it.each([[[]], [["1"]], [["</think>", "9"]]])(
    "yields every token with its text, stop strings %j",
    async (stopStrings) => {
      const sampler = { ...SAMPLER, stopStrings };
      const { tokens, ends, answers } = await play(
        generate(pocket, { tokenIds: promptIds() }, { ...DRAW, sampler }),
      );
      expect(answers).toEqual(await sampleAnswers(pocket, promptIds(), { ...DRAW, sampler }));
      expect(ends.map(({ row }) => row).sort()).toEqual([0, 1, 2, 3]);
      for (const [row, answer] of answers.entries()) {
        const own = tokens.filter((event) => event.row === row);
        expect(own.map(({ tokenId }) => tokenId)).toEqual(answer.tokenIds);
        expect(own.map(({ logprob }) => logprob)).toEqual(answer.logprobs);
        expect(own.map(({ entropy }) => entropy)).toEqual(answer.entropies);
        expect(own.map(({ delta }) => delta).join("")).toBe(answer.text);
        expect(ends.find((event) => event.row === row)?.answer).toBe(answer);
      }
    },
  );

  it("takes the messages of a conversation, and a prompt that was run already", async () => {
    const messages: ChatMessage[] = [
      { role: "user", content: "What is 1 + 1?" },
      { role: "assistant", content: "2" },
      { role: "user", content: "What is 12 + 7?" },
    ];
    const { answers } = await play(generate(pocket, messages, DRAW));
    const prompt = buildPrompt(pocket.tokenizer, messages);
    const { tokenIds, sharedTokens } = prompt;
    expect(answers).toEqual(await sampleAnswers(pocket, tokenIds, { ...DRAW, sharedTokens }));
    expect((await play(generate(pocket, await pocket.prefill(prompt), DRAW))).answers).toEqual(answers);
    const one = await play(generate(pocket, [{ role: "user", content: "Hi" }], { sampler: SAMPLER }));
    expect(one.answers).toHaveLength(1);
  });

  it("stops drawing when its reader leaves", async () => {
    for await (const event of generate(pocket, { tokenIds: promptIds() }, DRAW)) {
      expect(event.kind).toBe("token");
      break;
    }
  });

  it("leaves out the state of an end token only, and changes nothing else, without endState", async () => {
    const sampler = { ...SAMPLER, maxNewTokens: 12, stopStrings: ["29"] };
    const options = { ...DRAW, sampler, runIds: [0, 1, 2, 3, 4, 5, 6, 7], layers: [1] };
    const whole = await play(generate(pocket, { tokenIds: promptIds() }, options));
    const some = await play(generate(pocket, { tokenIds: promptIds() }, { ...options, endState: false }));
    expect(some.answers).toEqual(whole.answers);
    const inOrder = (events: readonly TokenEvent[]) => [...events].sort((a, b) => a.row - b.row);
    expect(inOrder(some.tokens)).toEqual(inOrder(whole.tokens));
    const reasons = new Set<string>();
    for (const { row, answer, residual } of some.ends) {
      const isOfText = answer.answerTokenCount === answer.tokenIds.length;
      reasons.add(`${answer.finishReason} ${isOfText}`);
      expect(residual).toEqual(isOfText ? whole.ends.find((end) => end.row === row)?.residual : null);
    }
    expect(reasons).toEqual(new Set(["stop false", "length true"]));
  });

  it("reads what a trace of the whole sequence reads, to float32's rounding, and draws the same answers", async () => {
    const layers = [0, 1, 2];
    const tokenIds = buildPrompt(tiny.tokenizer, "What is 2 + 3?", { format: "notebook" }).tokenIds;
    const { tokens, ends, answers } = await play(generate(tiny, { tokenIds }, { ...DRAW, layers }));
    expect(answers).toEqual(await sampleAnswers(tiny, tokenIds, DRAW));
    for (const { row, answer, residual } of ends) {
      const own = tokens.filter((event) => event.row === row).map(({ residual }) => residual as Float32Array);
      const states = [...own, residual as Float32Array];
      const { residuals } = await tiny.trace([...tokenIds, ...answer.tokenIds], {
        layers,
        positions: states.map((_, i) => tokenIds.length - 1 + i),
      });
      const scale = scaleOf(residuals);
      for (const [i, value] of states.flatMap((state) => [...state]).entries())
        expect(Math.abs(value - residuals[i]!)).toBeLessThan(1e-5 * scale);
    }
  });
});
