import fc from "fast-check";
import { expect, test } from "vitest";
import { eachSampled } from "../../test/each-sampled.ts";
import { createCursor } from "./math-answer/cursor.ts";
import { parseAnswer, parseList } from "./math-answer/parse-answer.ts";
import { parseSum } from "./math-answer/parse-sum.ts";
import { sameAnswer } from "./math-answer/same-answer.ts";
import { tokenize } from "./math-answer/tokenize.ts";
import { isMathematical, MAX_WORK, mathEquivalent } from "./math-equivalent.ts";

/** What answers are made of, well formed or not. */
const PIECES =
  String.raw`\frac { } \frac{1}{2} \sqrt \sqrt{2} \sqrt[3]{ x y n 2 17 0.5 1,234 ^ ^2 ^{ _ _2 + - * / ( ) [ ]
\{ \} , ; \pm \pi e i \infty \sin \cos \arctan \ln \log_2 ! \binom{9}{4} | \left \right \text{ & \\ = < > \le \cup
\begin{pmatrix} \end{pmatrix} \setminus \in \mathbb{R} or and five hundred apples Monday % \% $ \$ ^\circ \, \boxed{
\overline{3} 0.\overline{3} ² ½ √ 日本 ' : 9^{9^{9}} a=( (a, \max( answer #### cm`.split(/\s+/);

const piece = fc.constantFrom(...PIECES, " ");
const formula = fc.constantFrom(
  ...String.raw`\frac{x+1}{2} \sqrt{3+2\sqrt{2}} (1,2] \{1,2\} x=3 1\pm\sqrt{2} \sin^2x 5\text{cm} 50\% 1,234 2\pi e^{i\pi}
x>3 [0,1)\cup(2,\infty) \begin{pmatrix}1\\2\end{pmatrix} 1\frac{1}{2} 3+4i \binom{n}{2} x^2+2x+1 (x+1)^2`.split(
    /\s+/,
  ),
);
const anything = fc.oneof(
  fc.string(),
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
  fc
    .tuple(fc.array(piece, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 40 }))
    .map(([pieces, times]) => pieces.join("").repeat(times)),
  fc.array(formula, { minLength: 1, maxLength: 3 }).map((formulas) => formulas.join("+")),
  fc.tuple(formula, piece, formula).map((parts) => parts.join("")),
);

/** What may be spent after the last unit: the dearest function there is, with what stands around it. */
const LAST_STEP = 10_000;

/** The verdict and the units of work it took. */
function judge(a: string, b: string): { readonly same: boolean; readonly spent: number } {
  const work = { left: MAX_WORK };
  const same = sameAnswer(parseAnswer(a), parseAnswer(b), work);
  return { same, spent: MAX_WORK - work.left };
}

eachSampled([[1000], [5000]])(
  "%i random pairs: no error, bounded work, the same as itself, and order does not matter",
  (numRuns) => {
    fc.assert(
      fc.property(anything, anything, (a, b) => {
        const { same, spent } = judge(a, b);
        expect(spent).toBeLessThan(MAX_WORK + LAST_STEP);
        expect(mathEquivalent(b, a)).toBe(same || a.trim() === b.trim());
        expect(mathEquivalent(a, `${a}\n`)).toBe(true);
        isMathematical(a);
      }),
      { seed: 1, numRuns },
    );
  },
);

test("what is nearly the same is decided the same way in either order", () => {
  fc.assert(
    fc.property(formula, formula, piece, (a, b, change) => {
      const [sum, other] = [`${a}+${b}`, `${b}+${a}${change}`];
      expect(mathEquivalent(sum, other)).toBe(mathEquivalent(other, sum));
    }),
    { seed: 2, numRuns: 300 },
  );
});

const HARD: Readonly<Record<string, (at: number) => string>> = {
  "sines to be told apart": (at) => `\\sin ${at + 2}x`,
  "arctangents to be told apart": (at) => `\\arctan 0.9999${at}`,
  "long factorials": () => "500!",
  "long choices": () => "\\binom{2000}{1000}",
  "long denominators": (at) => `\\frac{1}{${10 ** 9 + 7 * at}}`,
  "complex powers": (at) => `(${at}+i)^{\\sqrt{2}}`,
  "intervals with roots": (at) => `[\\sqrt{${at}},\\sqrt{${at + 1}}]`,
};

test.each(Object.entries(HARD))("%s end within the work there is", (_name, write) => {
  const terms = Array.from({ length: 80 }, (_, at) => write(at));
  for (const joint of ["+", ",", "\\cup "]) {
    const [a, b] = [terms, terms.toReversed()].map((each) => each.join(joint));
    expect(judge(`${a}+\\sqrt{2}x`, `\\sqrt{2}x+${b}`).spent).toBeLessThan(MAX_WORK + LAST_STEP);
    expect(judge(a as string, b as string).spent).toBeLessThan(MAX_WORK + LAST_STEP);
  }
});

/** What may be read twice on each level, which without a bound would take 2^25 steps. */
const NESTED: readonly (readonly [opening: string, closing: string])[] = [
  ["a=(b,", ")"],
  ["(b,a=(c,", "))"],
  ["a=a=(1,", ")"],
  ["x:(1,", ")"],
  ["(1,\\pm", ")"],
  ["\\pm(", ")"],
  ["\\sqrt{\\pm", "}"],
  ["\\{1,", "\\}"],
  ["\\{x|x=(1,", ")\\}"],
  ["|", "|"],
  ["{(", ")}"],
  ["f(", ")"],
  ["\\frac{1}{", "}"],
];

test.each(NESTED)("%s in itself is read in bounded steps", (opening, closing) => {
  for (const levels of [8, 12, 40]) {
    for (const inmost of ["1 2", "x"]) {
      let steps = 0;
      const tokens = new Proxy([...tokenize(opening.repeat(levels) + inmost + closing.repeat(levels))], {
        get(target, key) {
          steps++;
          return Reflect.get(target, key);
        },
      });
      parseList(createCursor(tokens, parseSum));
      expect(steps).toBeGreaterThan(tokens.length);
      // Some looks around for each factor that may be read; measured: at most 160.
      expect(steps / tokens.length).toBeLessThan(300);
    }
  }
});
