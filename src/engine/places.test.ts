import { describe, expect, it } from "vitest";
import { CLOSE, END, MODEL_ENDS, REASONED_RUN } from "../../test/fakes/reasoned-run.ts";
import { countAnswerTokens } from "../samples/count-answer-tokens.ts";
import type { RunRecord } from "../samples/run-record.ts";
import {
  PLACES,
  type PositionIndices,
  placeAnswer,
  rowKey,
  SINGLE_POSITIONS,
  type SinglePosition,
} from "./places.ts";

const counting = (run: RunRecord, indices: PositionIndices = "exact") => ({
  answerTokens: countAnswerTokens(run, MODEL_ENDS),
  indices,
  decode: MODEL_ENDS.decode,
});

const lastAt = (run: RunRecord, position: SinglePosition, indices?: PositionIndices): number | null =>
  PLACES[position].tokens(run, counting(run, indices)).at(-1)?.index ?? null;

const locate = (changes: Partial<RunRecord>): (number | null)[] => {
  const run = { ...REASONED_RUN, ...changes };
  return SINGLE_POSITIONS.map((position) => lastAt(run, position));
};

describe("places", () => {
  it("reads before-generation, second-to-last, think-end, last-token at the right tokens", () => {
    const sequence = [...REASONED_RUN.prompt_tokens, ...REASONED_RUN.tokens];
    const at = locate({});
    expect(at).toEqual([2, 6, 4, 7]);
    expect(at.map((index) => sequence[index as number])).toEqual([3, 7, CLOSE, END]);
  });

  it("takes the last answer token as second-to-last where generation was cut off", () => {
    expect(locate({ tokens: [5, 6], think_status: "truncated", think_token_indices: [0, 2] })).toEqual([
      2,
      4,
      null,
      4,
    ]);
  });

  it("knows that an answer of an end token only has no second-to-last token", () => {
    expect(locate({ tokens: [END], think_status: "none", think_token_indices: null })).toEqual([
      2,
      null,
      null,
      3,
    ]);
  });
});

describe("places as OATML counts", () => {
  /** Their `predict`, in their own terms: a list of states, of which the k-th is that of token P - 1 + k. */
  function asPublished(
    promptLength: number,
    steps: number,
    answerTokens: number,
  ): { last: number; second: number } {
    const hidden = Array.from({ length: steps }, (_, k) => promptLength - 1 + k);
    const n = answerTokens === 0 ? 1 : answerTokens;
    const at = (k: number): number => hidden.at(k) as number; // negative as in Python
    if (steps === 1) return { last: at(0), second: at(0) };
    return {
      last: n - 1 >= steps ? at(-1) : at(n - 1),
      second: n - 2 >= steps ? at(-2) : at(n - 2),
    };
  }

  it.each([
    { tokens: [END], answer: 0 },
    { tokens: [6, END], answer: 1 },
    { tokens: [6, 7, END], answer: 2 },
    { tokens: [6, 7, 5, 4, END], answer: 4 },
    { tokens: [6], answer: 1 },
    { tokens: [6, 7, 5], answer: 3 },
  ])("an answer of $tokens", ({ tokens, answer }) => {
    const run = {
      ...REASONED_RUN,
      tokens,
      think_status: "none",
      think_token_indices: null,
    } as unknown as RunRecord;
    const own = (position: "last-token" | "second-to-last" | "before-generation"): number | null =>
      lastAt(run, position, "oatml-compat");
    const { last, second } = asPublished(3, tokens.length, answer);
    expect([own("last-token"), own("second-to-last"), own("before-generation")]).toEqual([last, second, 2]);
  });

  it.each([1, 2, 3])(
    "takes the last %i tokens, which ended the answer by a stop text, for no part of it",
    (stop) => {
      const run = { ...REASONED_RUN, tokens: [6, 7, 5, 4, 3], answer_token_count: 5 - stop };
      const own = (position: "last-token" | "second-to-last"): number | null =>
        lastAt(run, position, "oatml-compat");
      const { last, second } = asPublished(3, 5, 5 - stop);
      expect([own("last-token"), own("second-to-last")]).toEqual([last, second]);
    },
  );
});

describe("placeAnswer", () => {
  const [OPENING, CLOSING] = [["<think>", 7] as const, ["</think>", CLOSE] as const];
  const tokenizer = {
    addedTokens: new Map([OPENING, CLOSING].map(([text, id]) => [text, { id }])) as never,
    tokenId: (text: string) => new Map<string, number>([OPENING, CLOSING]).get(text) ?? null,
    decode: MODEL_ENDS.decode,
  };
  const { prompt_tokens: tokenIds, tokens } = REASONED_RUN;
  const place = (answer: readonly number[], answerTokenCount: number) =>
    placeAnswer(
      tokenizer,
      { tokenIds, opensReasoning: true },
      { tokenIds: answer, text: tokenizer.decode(answer.slice(0, answerTokenCount)), answerTokenCount },
    );

  it("finds the same tokens as in the record of the run", () => {
    const { reasoning, lastAt } = place(tokens, 4);
    expect(reasoning).toMatchObject({ status: "closed", span: [0, 1], answerText: "t6t7" });
    expect(SINGLE_POSITIONS.map((position) => lastAt(position)?.index)).toEqual(locate({}));
  });

  it("has the prompt's token alone before there is an answer", () => {
    const { tokensAt, lastAt } = place([], 0);
    expect(SINGLE_POSITIONS.map((position) => lastAt(position)?.index ?? null)).toEqual([
      2,
      null,
      null,
      null,
    ]);
    expect(tokensAt("every-token")).toEqual([]);
  });
});

it("tells rows apart by place, question, run and span", () => {
  const key = { place: "last-token", questionId: "q", runId: 0, span: null } as const;
  const others = [
    { ...key, place: "think-end" },
    { ...key, questionId: "0" },
    { ...key, runId: null },
    { ...key, span: [0, 2] },
    { ...key, span: [0, 3] },
  ] as const;
  expect(new Set([key, { ...key }, ...others].map(rowKey)).size).toBe(6);
});
