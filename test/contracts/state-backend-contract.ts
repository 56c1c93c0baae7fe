import { expect, it } from "vitest";
import { stateAt } from "../../src/engine/layer-states.ts";
import type { AnswerToTrace, StateBackend, TracedAnswers } from "../../src/states/state-backend.ts";
import { finishOpening } from "../fakes/finish-opening.ts";

const PROMPT = "What is 12 + 7?";
const ANSWERS = ["<think>12 + 7 = 19</think>19", "It is 20", "21"];

/** What a state backend is held against. */
export interface ExpectedStates {
  /** Another way to the same states: [layers, D] at each index of a whole sequence. */
  read(
    tokenIds: readonly number[],
    indices: readonly number[],
    layers: readonly number[],
  ): Promise<readonly Float32Array[]>;
  /** Largest relative difference of a vector, |a - b| / |b|; its cause belongs beside it. */
  readonly tolerance: number;
}

/**
 * What every state backend does. Called within a `describe`.
 * @param getBackend of a model small enough to trace in a test
 * @param getExpected null where there is nothing to compare with
 */
export function stateBackendContract(
  getBackend: () => StateBackend,
  getExpected: () => ExpectedStates | null,
): void {
  const encode = (text: string) => getBackend().model.tokenizer.encode(text, { specialTokens: false });
  const layersOf = () => {
    const { layers, model } = getBackend();
    return layers ?? [0, Math.floor(model.config.blockCount / 2), model.config.blockCount];
  };
  const read = async (answers: readonly AnswerToTrace[], layers = layersOf(), signal?: AbortSignal) => {
    await using reader = await finishOpening(getBackend().openReader(1));
    return await reader.read(encode(PROMPT), answers, { layers, signal }); // before it is closed
  };
  /** @returns [layers, D] of each token of an answer */
  const statesOf = ({ answers }: TracedAnswers, answer = 0): Float32Array[] => {
    const { hiddenSize } = getBackend().model.config;
    const states = answers[answer]!;
    return Array.from({ length: states[0]!.length / hiddenSize }, (_, token) =>
      stateAt(states, token, hiddenSize),
    );
  };
  const toTrace = (texts: readonly string[]): AnswerToTrace[] => {
    const start = encode(PROMPT).length;
    return texts.map((text) => {
      const tokenIds = encode(text);
      return { tokenIds, indices: [start, start + tokenIds.length - 1] };
    });
  };

  it("says what it is", () => {
    const { name, model, identity, metadata, normState } = getBackend();
    expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(["residual", "final-norm"]).toContain(normState);
    expect(metadata.model).toBe(model.provenance.id);
    expect(JSON.parse(JSON.stringify(identity))).toEqual(identity);
  });

  it("gives [layers, D] of finite numbers that are not all zero, at the prompt's end and each index", async () => {
    const traced = await read(toTrace(ANSWERS));
    const size = layersOf().length * getBackend().model.config.hiddenSize;
    for (const ofLayer of traced.answers.flat())
      expect(ofLayer.length).toBe(2 * getBackend().model.config.hiddenSize);
    const states = [traced.beforeGeneration, ...ANSWERS.flatMap((_, answer) => statesOf(traced, answer))];
    expect(states).toHaveLength(1 + 2 * ANSWERS.length);
    for (const state of states) {
      expect(state).toBeInstanceOf(Float32Array);
      expect(state.length).toBe(size);
      expect(state.every(Number.isFinite)).toBe(true);
      expect(state.some((value) => value !== 0)).toBe(true);
    }
  });

  it("gives the states of the tokens themselves", async () => {
    const expected = getExpected();
    if (expected === null) return;
    const layers = layersOf();
    const answers = toTrace(ANSWERS);
    const traced = await read(answers);
    const prompt = encode(PROMPT);
    const [before] = await expected.read(prompt, [prompt.length - 1], layers);
    expect(difference(traced.beforeGeneration, before!)).toBeLessThanOrEqual(expected.tolerance);
    for (const [index, { tokenIds, indices }] of answers.entries()) {
      const states = await expected.read([...prompt, ...tokenIds], indices, layers);
      for (const [i, state] of states.entries())
        expect(
          difference(statesOf(traced, index)[i]!, state),
          `answer ${index}, index ${i}`,
        ).toBeLessThanOrEqual(expected.tolerance);
    }
  });

  it("reads an answer the same whatever is read with it, and nothing of one without indices", async () => {
    const answers = toTrace(ANSWERS);
    const all = await read(answers);
    const alone = await read([answers[1]!]);
    const { tolerance = 1e-4 } = getExpected() ?? {}; // batches round differently
    expect(difference(statesOf(alone)[0]!, statesOf(all, 1)[0]!)).toBeLessThanOrEqual(tolerance);
    const none: TracedAnswers = await read([{ ...answers[0]!, indices: [] }]);
    expect(none.answers).toEqual([layersOf().map(() => new Float32Array(0))]);
    expect(difference(none.beforeGeneration, all.beforeGeneration)).toBeLessThanOrEqual(tolerance);
  });

  it("reads one layer as it reads it among others", async () => {
    const layers = layersOf();
    const answers = toTrace(ANSWERS.slice(0, 1));
    const last = layers.at(-1) as number;
    const width = getBackend().model.config.hiddenSize;
    const all = statesOf(await read(answers))[1]!;
    const one = statesOf(await read(answers, [last]))[1]!;
    expect(one.length).toBe(width);
    expect(difference(one, all.subarray(-width))).toBeLessThanOrEqual(getExpected()?.tolerance ?? 1e-4);
  });

  it("reads several questions at a time", async () => {
    await using reader = await finishOpening(getBackend().openReader(4));
    expect(reader.concurrency).toBeGreaterThan(0);
    const layers = layersOf();
    const one = () => reader.read(encode(PROMPT), toTrace(ANSWERS), { layers });
    const [first, second] = await Promise.all([one(), one()]);
    expect(difference(second!.beforeGeneration, first!.beforeGeneration)).toBeLessThanOrEqual(1e-4);
  });

  it("stops when its signal is aborted", async () => {
    await expect(read(toTrace(ANSWERS), layersOf(), AbortSignal.abort(new Error("enough")))).rejects.toThrow(
      "enough",
    );
  });
}

function difference(got: Float32Array, wanted: Float32Array): number {
  expect(got.length).toBe(wanted.length);
  let apart = 0;
  let size = 0;
  for (const [index, value] of wanted.entries()) {
    apart += (got[index]! - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(apart / size);
}
