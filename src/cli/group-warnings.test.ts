import fc from "fast-check";
import { expect, it } from "vitest";
import { groupWarnings } from "./group-warnings.ts";

const warn = (code: string, ...messages: string[]) => messages.map((message) => ({ code, message }));

it("joins what differs in the name of a score or a part, and says what differs", () => {
  const oneClass = (score: string): string =>
    `math_val: ${score}: all 8 labels are 0 (one class); its AUROC is null.`;
  const uncalibrated = (score: string): string => `The ${score} is not calibrated: its scores do not rise.`;
  expect(
    groupWarnings([
      ...warn("one-class", oneClass("accuracy probe"), oneClass("SE probe")),
      ...warn("no-calibration", uncalibrated("accuracy probe"), uncalibrated("SE probe")),
      ...warn("one-class", oneClass("entropy baseline")),
    ]),
  ).toEqual([
    { code: "one-class", message: `${oneClass("accuracy probe")} Likewise: SE probe; entropy baseline.` },
    { code: "no-calibration", message: `${uncalibrated("accuracy probe")} Likewise: SE probe.` },
  ]);
});

it("leaves alone what differs in more, what has another code, and what says more than another", () => {
  const apart = [
    ...warn("few-questions", "Only 2 questions are left. Add some.", "The split has no rows at all here."),
    ...warn("no-ood", "Only 3 questions are left. Add some."),
    ...warn("tied-scores", "All scores are the same.", "All scores are the same as before."),
  ];
  expect(groupWarnings(apart)).toEqual(apart);
});

it("loses no word of any message, and says each message once", () => {
  const message = fc.array(fc.constantFrom("a", "b", "c:", "d."), { minLength: 1, maxLength: 6 });
  const warning = fc.record({
    code: fc.constantFrom("x", "y"),
    message: message.map((words) => words.join(" ")),
  });
  fc.assert(
    fc.property(fc.array(warning, { maxLength: 8 }), (warnings) => {
      const grouped = groupWarnings(warnings);
      for (const { code, message } of warnings) {
        const said = grouped.filter((group) => group.code === code).map((group) => group.message);
        for (const word of message.split(" "))
          expect(said.some((text) => text.includes(word.replace(/[:.]$/, "")))).toBe(true);
      }
      expect(groupWarnings([...warnings, ...warnings])).toEqual(grouped);
      expect(grouped.length).toBeLessThanOrEqual(new Set(warnings.map((each) => JSON.stringify(each))).size);
    }),
    { seed: 1 },
  );
});
