import { describe, expect, it } from "vitest";
import { TRACE_POSITIONS } from "../engine/places.ts";
import type { RunRecord } from "../samples/run-record.ts";
import { planTrace } from "./trace-plan.ts";

const END = 9;
const CLOSE = 8;
const ending = {
  endTokenIds: new Set([END]),
  decode: (ids: readonly number[]) => ids.map((id) => `t${id}`).join(""),
};

/** Prompt of 3 tokens, then: think 5, `</think>`, answer 6 7, end. */
const closed = {
  question_id: "q",
  run_id: 0,
  prompt_tokens: [1, 2, 3],
  tokens: [5, CLOSE, 6, 7, END],
  think_token_indices: [0, 1] as const,
  think_status: "closed",
} as unknown as RunRecord;

describe("planTrace", () => {
  const truncated = {
    ...closed,
    run_id: 1,
    tokens: [5],
    think_status: "truncated",
    think_token_indices: [0, 1],
  } as RunRecord;
  const other = { ...closed, question_id: "r" };
  const plan = planTrace([closed, truncated, other], {
    positions: TRACE_POSITIONS,
    ...ending,
  });

  it("reads the prompt once a question and each answer once a run", () => {
    expect(Object.fromEntries(plan.rowCounts)).toEqual({
      "before-generation": 2,
      "second-to-last": 3,
      "think-end": 2,
      "last-token": 3,
    });
    expect(plan.missing.get("think-end")).toBe(1);
  });

  it("numbers the rows of each position without gaps and says which token each is", () => {
    for (const position of TRACE_POSITIONS) {
      const rows = plan.questions.flatMap(({ rows }) => rows).filter((row) => row.position === position);
      expect(rows.map(({ row }) => row)).toEqual(rows.map((_, index) => index));
    }
    const thinkEnd = plan.questions[1]?.rows.find(({ position }) => position === "think-end");
    expect(thinkEnd).toEqual({
      position: "think-end",
      row: 1,
      question_id: "r",
      run_id: 0,
      token_index: 4,
      token_id: CLOSE,
      token: "t8",
    });
  });
});
