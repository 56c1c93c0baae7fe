import { describe, expect, it } from "vitest";
import { CLOSE, MODEL_ENDS, REASONED_RUN } from "../../test/fakes/reasoned-run.ts";
import { SINGLE_POSITIONS } from "../engine/places.ts";
import type { RunRecord } from "../samples/run-record.ts";
import { planTrace } from "./trace-plan.ts";

describe("planTrace", () => {
  const truncated = {
    ...REASONED_RUN,
    run_id: 1,
    tokens: [5],
    think_status: "truncated",
    think_token_indices: [0, 1],
  } as RunRecord;
  const other = { ...REASONED_RUN, question_id: "r" };
  const plan = planTrace([REASONED_RUN, truncated, other], {
    positions: SINGLE_POSITIONS,
    endTokenIds: MODEL_ENDS.endTokenIds,
    tokenizer: MODEL_ENDS,
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
    for (const position of SINGLE_POSITIONS) {
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
