import { expect, it } from "vitest";
import { makeTransfer } from "../../../test/fakes/make-transfer.ts";
import { describeTransfer } from "./transfer.ts";

it("shows a matrix a probe, the scores that need no training, and the means", () => {
  const transfer = makeTransfer();
  const lines = describeTransfer(transfer, { columns: 80, paint: (_style, text) => text }).split("\n");
  const compact = lines.map((line) => line.trim().replace(/ +/g, " "));
  expect(compact).toContain("1 a/math: 14 training questions, 6 test questions, 50% of answers wrong");
  const accuracy = compact.indexOf("Accuracy probe: AUROC for wrong answers");
  expect(compact.slice(accuracy + 2, accuracy + 6)).toEqual([
    "1 1.000 0.000 0.000",
    "2 0.000 1.000 0.000",
    "3 0.000 0.000 1.000",
    "all but the target 1.000 1.000 none",
  ]);
  const se = compact.indexOf("SE probe: AUROC for wrong answers");
  expect(compact.slice(se + 2, se + 9)).toEqual([
    "1 1.000 0.000 1.000",
    "2 1.000 1.000 1.000",
    "3 1.000 1.000 1.000",
    "all but the target 1.000 1.000 1.000",
    "(semantic entropy) 1.000 1.000 1.000",
    "(discrete semantic entropy) 1.000 1.000 1.000",
    "(mean think entropy) 0.000 0.000 0.000",
  ]);
  expect(compact).toContain("in distribution 1.000 1.000 +0.000 +0.000 to +0.000");
  // The mean over targets of the mean over the two other sources: 1, 1/2 and 1 against 0.
  expect(compact.find((line) => line.startsWith("from another data set"))).toMatch(
    /^from another data set 0\.833 0\.000 \+0\.833/,
  );
  expect(compact).toContain("from all other data sets none");
  expect(compact.at(-1)).toBe("a/math: 6 test questions [few-questions]");
});

it("corrects all paired tests of the file together", () => {
  const { matrix, leave_one_out: pooled } = makeTransfer();
  const tested = [...matrix, ...pooled].flatMap(({ difference }) => difference ?? []);
  expect(tested).toHaveLength(11);
  const least = tested.reduce((low, own) => (own.p_value! < low.p_value! ? own : low));
  expect(least.p_value_holm).toBeCloseTo(Math.min(1, 11 * least.p_value!), 12); // one product
});

it("keeps within 60 columns", () => {
  const lines = describeTransfer(makeTransfer(), { columns: 60, paint: (_style, text) => text }).split("\n");
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(60);
});
