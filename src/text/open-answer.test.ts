import { expect, test } from "vitest";
import { matchesOpenAnswer } from "./open-answer.ts";

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

test("the papers' threshold is reached, not passed", () => {
  expect(matchesOpenAnswer("squad-f1", "J. R. R. Tolkien", { accepted: ["Tolkien"], question: "" })).toBe(
    false, // four words: F1 = 2/5
  );
  expect(matchesOpenAnswer("squad-f1", "J. R. Tolkien", { accepted: ["Tolkien"], question: "" })).toBe(true);
});
