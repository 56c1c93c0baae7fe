import { expect, it } from "vitest";
import { chooseExamples } from "../evaluation/choose-examples.ts";
import { evaluateUnits, type UnitRows } from "../evaluation/evaluate-units.ts";
import { drawUnits } from "./unit-section.ts";

/** Four answers of two steps, one of one step; the first step of each scores q / 10, the second less. */
const rows: UnitRows = {
  scores: Float64Array.of(0.2, 0.1, 0.4, 0.3, 0.6, 0.5, 0.8, 0.7, 0.99),
  labels: Uint8Array.of(0, 0, 0, 1, 1, 0, 1, 1, 1),
  questionIds: ["a", "a", "b", "b", "c", "c", "d", "d", "e"],
  questionGroups: ["a", "a", "b", "b", "c", "c", "d", "d", "e"],
  runIds: [0, 0, 0, 0, 0, 0, 0, 0, 0],
  spans: [0, 3, 3, 6, 0, 3, 3, 6, 0, 3, 3, 6, 0, 3, 3, 6, 0, 3],
};

it("chooses the answers with the highest, the middle and the lowest score, in the order of their text", () => {
  const examples = chooseExamples(rows, (row) => `text ${row}`);
  expect(examples.map(({ risk, question_id }) => [risk, question_id])).toEqual([
    ["highest", "d"],
    ["middle", "b"],
    ["lowest", "a"],
  ]);
  expect(examples[0]!.units).toEqual([
    { text: "text 6", score: 0.8, label: 1 },
    { text: "text 7", score: 0.7, label: 1 },
  ]);
  expect(chooseExamples({ ...rows, scores: rows.scores.slice(0, 4) }, String)).toEqual([]);
});

it("draws the AUROC along answers and three of them, with everything escaped", () => {
  const evaluation = evaluateUnits(rows, { resamples: 50, seed: 1 });
  const units = {
    position: "step-end",
    splits: { math_test: evaluation },
    examples: chooseExamples(rows, (row) => `<b>${row}</b>`),
  };
  const { markup } = drawUnits({ ...units, label: "step-incorrect" }, (id) => `<i>${id}</i>?`);
  expect(markup).toContain("&lt;b&gt;6&lt;/b&gt;");
  expect(markup).toContain("<h3>&lt;i&gt;d&lt;/i&gt;?</h3>");
  expect(markup).not.toMatch(/<[bi]>/);
  expect(markup).toMatch(/within answers<\/th><td>0\.500/);
  // with one label per answer there is nothing to order within one
  expect(drawUnits({ ...units, label: "final-incorrect" }).markup).not.toContain("within answers<");
  expect(markup.match(/of the answer<\/th>/g)).toHaveLength(5);
  expect(markup).toContain('title="score 0.80, label 1"');
  expect(markup).toContain("the arithmetic of the row&#39;s text does not hold");
});
