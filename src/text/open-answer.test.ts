import fc from "fast-check";
import { expect, test } from "vitest";
import { matchesOpenAnswer, normalizeAnswer, tokenF1 } from "./open-answer.ts";

const SHAKESPEARE = { accepted: ["Shakespeare"], question: "Who wrote Hamlet?" };
const SUN = { accepted: ["Sun"], question: "Which is larger, the Sun or the Moon?" };
const EIGHT = { accepted: ["8", "eight"], question: "How many legs does a spider have?" };

test.each<[string, Parameters<typeof matchesOpenAnswer>[2], { f1: boolean; contains: boolean }]>([
  ["Shakespeare", SHAKESPEARE, { f1: true, contains: true }],
  ["William Shakespeare", SHAKESPEARE, { f1: true, contains: true }],
  ["Hamlet was written by William Shakespeare", SHAKESPEARE, { f1: false, contains: true }],
  ["Christopher Marlowe", SHAKESPEARE, { f1: false, contains: false }],
  // whole words only
  ["A Shakespearean company of actors wrote it", SHAKESPEARE, { f1: false, contains: false }],
  // what is denied or left open is not claimed
  ["It was not written by William Shakespeare", SHAKESPEARE, { f1: false, contains: false }],
  ["It wasn’t written by Mr Shakespeare", SHAKESPEARE, { f1: false, contains: false }],
  ["It was either Shakespeare or Marlowe", SHAKESPEARE, { f1: false, contains: false }],
  // words of the question prove nothing
  ["The Moon is larger than the Sun", SUN, { f1: false, contains: false }],
  ["The Sun", SUN, { f1: true, contains: true }],
  // any accepted spelling
  ["A spider has eight legs", EIGHT, { f1: false, contains: true }],
  ["A spider has 8 legs.", EIGHT, { f1: false, contains: true }],
  ["A spider has 18 legs.", EIGHT, { f1: false, contains: false }],
  ["", EIGHT, { f1: false, contains: false }],
  // all sentences of a short answer count, each by itself
  [
    "Good question. It was William Shakespeare. He was born in 1564",
    SHAKESPEARE,
    { f1: false, contains: true },
  ],
  ["It was not Marlowe. William Shakespeare wrote it", SHAKESPEARE, { f1: false, contains: true }],
  ["Marlowe wrote it. Shakespeare did not", SHAKESPEARE, { f1: false, contains: false }],
  [
    "Shakespeare. He lived in Stratford and wrote thirty-nine plays",
    SHAKESPEARE,
    { f1: false, contains: true },
  ],
])("%j", (said, reference, expected) => {
  expect({
    f1: matchesOpenAnswer("squad-f1", said, reference),
    contains: matchesOpenAnswer("contains", said, reference),
  }).toEqual(expected);
});

test("a long sentence claims nothing", () => {
  const long = `${Array.from({ length: 25 }, () => "word").join(" ")} Shakespeare`;
  expect(matchesOpenAnswer("contains", long, SHAKESPEARE)).toBe(false);
  expect(matchesOpenAnswer("contains", long.replace("word ", ""), SHAKESPEARE)).toBe(true);
});

test("what comes after fifty words is about other things", () => {
  const sentence = "It has ten words, which is a lot of words. "; // nine without the article
  const after = (count: number): string => `${sentence.repeat(count)}Shakespeare wrote it`;
  expect(matchesOpenAnswer("contains", after(5), SHAKESPEARE)).toBe(true);
  expect(matchesOpenAnswer("contains", after(6), SHAKESPEARE)).toBe(false);
});

test.each([
  ["It passes through you", [], true],
  ["Gum just passes through the body", [], true], // 2 of 6 and 4 words in order: 0.4
  ["You will die of it", [], false], // 1 of 5 and 4: 0.22
  ["You will die", ["You will die"], false],
  ["It passes through and stays", ["It stays in your stomach"], true],
  ["It stays in you", ["It stays in your stomach"], false],
])("%j by ROUGE-L, %j rejected: %s", (said, rejected, expected) => {
  const reference = { accepted: ["It passes through you"], rejected, question: "" };
  expect(matchesOpenAnswer("rouge-l", said, reference)).toBe(expected);
});

test("the papers' threshold is reached, not passed", () => {
  expect(matchesOpenAnswer("squad-f1", "J. R. R. Tolkien", { accepted: ["Tolkien"], question: "" })).toBe(
    false, // four words: F1 = 2/5
  );
  expect(matchesOpenAnswer("squad-f1", "J. R. Tolkien", { accepted: ["Tolkien"], question: "" })).toBe(true);
});

test.each([
  ["Paris", "paris", 1],
  ["The Thames", "Thames", 1], // articles do not count
  ["William Shakespeare", "Shakespeare", 2 / 3],
  ["The capital of France is Paris.", "Paris", 2 / 6], // capital of france is paris
  ["Atlantic Ocean", "Pacific Ocean", 1 / 2],
  ["Lyon", "Paris", 0],
  ["new new york", "new york york", 2 / 3], // a repeated word counts as often as it is in both
  ["", "Paris", 0],
])("%j and %j overlap by %d", (said, reference, expected) => {
  expect(tokenF1(said, reference)).toBeCloseTo(expected, 12);
});

test("is symmetric, within [0, 1], and 1 for the same words in any order", () => {
  const words = fc.array(fc.constantFrom("red", "green", "blue", "one"), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(words, words, (a, b) => {
      const f1 = tokenF1(a.join(" "), b.join(" "));
      expect(f1).toBe(tokenF1(b.join(" "), a.join(" ")));
      expect(f1).toBeGreaterThanOrEqual(0);
      expect(f1 === 1).toBe(a.toSorted().join() === b.toSorted().join());
    }),
    { seed: 1 },
  );
});

test.each([
  ["The Eiffel-Tower!", "eiffeltower"],
  ["  a  cat,\n an owl ", "cat owl"],
  ["Paris.", "paris"],
  ["**Paris**", "paris"],
  ["-5", "-5"],
  ["−5", "-5"],
  ["1/2", "1/2"],
  ["$1,234.50", "1234.50"],
  ["3.", "3"],
  [".5", ".5"],
  ["2:30", "2:30"],
  ["2x - 5", "2x - 5"],
  ["**5**", "5"],
  ["10 (ten)", "10 ten"],
  ["A.", "a"],
  ["?!", "?!"],
  ["", ""],
])("%j is %j", (text, normal) => {
  expect(normalizeAnswer(text)).toBe(normal);
});

test("different numbers stay different", () => {
  const distinct = ["5", "-5", "0.5", "5/2", "52", "2-5", "25", "2+5", "2*5", "5%2"];
  expect(new Set(distinct.map(normalizeAnswer)).size).toBe(distinct.length - 1); // a percent sign is dropped: 52
});

test("never blank unless the text is", () => {
  fc.assert(
    fc.property(fc.string(), (text) => (normalizeAnswer(text) === "") === (text.trim() === "")),
    { seed: 1 },
  );
});
