import fc from "fast-check";
import { expect, it, test } from "vitest";
import { findSentences, splitSentences } from "./find-sentences.ts";

it.each([
  ["two sentences", ["It is 3.14.", "Or so!"], " "],
  ["a question and a blank end", ["Why?", "Because."], "\n"],
  ["titles and initials", ["Dr. Smith met Mr. A. B. Jones at 5 p.m. today.", "George W. Bush left."], " "],
  ["Latin", ["He ate e.g. two of them, i.e. most.", "See Kim et al. 2020 vs. the rest."], " "],
  ["dotted capitals", ["The U.S. Government agreed.", "It left the U.S.", "Then it came back."], " "],
  ["references", ["See Fig. 3 and Eq. (2).", "No. 5 is right.", "Is it?", "No.", "It is not."], " "],
  ["months", ["On Jan. 5 it rained.", "It was Jan.", "The rain stopped."], " "],
  ["companies", ["Apple Inc. announced it.", "They sold it to Ford Motor Co.", "This was wrong."], " "],
  ["options", ["The answer is option B.", "Next we check it.", "So am I.", "Fine."], " "],
  ["decimals and money", ["The total is $1.50.", "So 2 x $1.50 = $3.00.", "Therefore the answer is 3."], " "],
  ["versions and addresses", ["Use v1.2.3 from example.com/a.b today.", "Done."], " "],
  ["ellipses", ["Wait... what?!", "No way…", "Yes."], " "],
  ["ellipsis that goes on", ["Well… maybe so.", "Hm."], " "],
  ["quotes and brackets", ['He said "Stop."', "She stopped.", "(It was late.)", "**Bold.**", "End."], " "],
  [
    "numbered items",
    ["Steps:", "1. Add 3 and 4.", "2) Multiply by 2.", "a. First", "- a dash", "* star"],
    "\n",
  ],
  ["a lower-case start is no new one", ["We get x = 5. y = 3. so done"], ""],
  ["inline code", ["Call `a. B()` here.", "Then stop."], " "],
  ["inline formulas", ["We have $x. Y$ and \\(a. B\\) here.", "Then $5.", "It costs that."], " "],
  ["fenced code", ["Then:", "```js\nconst x = a.b;\n\nfoo(x). Bar\n```", "Done."], "\n"],
  ["displayed formulas", ["So", "\\[\na = 1.\nB = 2\n\\]", "$$ x = 1. Y $$", "and."], "\n"],
  ["code that is cut off", ["Then:", "```\na. B\nc"], "\n"],
  ["Chinese", ["我有三个苹果。", "他有两个！", "一共3.5个？", "他说：“好。”然后走了。"], ""],
  ["Japanese", ["これはペンです。", "「はい。そうです。」と言った。", "終わり。"], ""],
  ["Hindi and Arabic", ["यह एक है।", "वह दो है।", "ما هذا؟", "هذا كتاب."], " "],
])("finds the sentences: %s", (_, sentences, separator) => {
  expect(splitSentences(sentences.join(separator))).toEqual(sentences);
});

test("an English quotation that the sentence goes on after", () => {
  expect(splitSentences('"Stop." he said.')).toEqual(['"Stop." he said.']);
});

test("blank texts have none, and a text without an end is one", () => {
  expect(splitSentences("")).toEqual([]);
  expect(splitSentences(" \n\t\r\n ")).toEqual([]);
  expect(splitSentences("\\frac{1}{2}")).toEqual(["\\frac{1}{2}"]);
});

it("covers all that is not white space, in order and without overlap", () => {
  const piece = fc.constantFrom(
    "Dr.",
    "a",
    "B.",
    "3.14",
    "。",
    "」",
    "「",
    "\n",
    " ",
    "`",
    "$",
    "...",
    "?",
    "```",
    "\r\n",
    "1.",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join("");
      let at = 0;
      let rest = "";
      for (const [start, end] of findSentences(text)) {
        expect(start).toBeGreaterThanOrEqual(at);
        expect(text.slice(start, end)).toBe(text.slice(start, end).trim());
        expect(end).toBeGreaterThan(start);
        rest += text.slice(at, start);
        at = end;
      }
      expect((rest + text.slice(at)).trim()).toBe("");
    }),
  );
});

it("takes time in proportion to the text", () => {
  const long = `${"1. ".repeat(20_000)}${"$ ".repeat(20_000)}${"「a。".repeat(2_000)}`;
  const start = performance.now();
  findSentences(long);
  // 0.1 to 0.6 s where it is linear in the number of sentences; minutes where a pattern runs away
  expect(performance.now() - start).toBeLessThan(10_000);
});
