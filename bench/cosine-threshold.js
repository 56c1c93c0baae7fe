// Which cosine of two answers means that they say the same? Answers to the `general` questions in several wordings:
// pairs of wordings of one right answer, against pairs with an answer to another question that begins the same way
// (another capital, another year). Half of the questions choose the threshold, the other half judges it.
//
//   npm run bench:cosine-threshold -- --model FOLDER-OR-HUB-ID
import { parseArgs } from "node:util";
import { loadTextEmbedder } from "../dist/checkpoint/encoders/load-text-embedder.js";
import { loadQuestions } from "../dist/samples/load-questions.js";

const WORDINGS = [
  (answer) => answer,
  (answer) => `${capital(answer)}.`,
  (answer) => `It is ${answer}.`,
  (answer) => `The answer is ${answer}.`,
  (answer) => `I think that it is ${answer}, but I am not sure.`,
];
/** Questions that begin with the same words have answers of the same kind. */
const STEM_WORDS = 3;

const { values } = parseArgs({
  options: { model: { type: "string", default: "sentence-transformers/all-MiniLM-L6-v2" } },
});
const model = await loadTextEmbedder(values.model);
const { questions } = await loadQuestions("questions/general.jsonl");
const byStem = new Map();
for (const question of questions)
  byStem.set(stemOf(question), [...(byStem.get(stemOf(question)) ?? []), question]);
for (const [name, frame] of [
  ["the answer alone", (_question, text) => text],
  ["question and answer", (question, text) => `${question} ${text}`],
]) {
  const pairs = questions.flatMap((question, index) => makePairs(question, index, frame));
  const texts = [...new Set(pairs.flatMap(({ a, b }) => [a, b]))];
  const vectors = new Map((await model.embed(texts)).map(({ vector }, i) => [texts[i], vector]));
  const scored = pairs.map(({ a, b, ...pair }) => ({
    ...pair,
    cosine: dot(vectors.get(a), vectors.get(b)),
  }));
  const [chosen, judged] = [0, 1].map((half) => scored.filter(({ index }) => index % 2 === half));
  let best = { threshold: 0, accuracy: 0 };
  for (let threshold = 0; threshold <= 1; threshold += 0.01) {
    const accuracy = balancedAccuracy(chosen, threshold);
    if (accuracy > best.accuracy) best = { threshold, accuracy };
  }
  console.log(`${name}: ${scored.length} pairs, ${questions.length} questions`);
  console.log(
    `  best threshold ${best.threshold.toFixed(2)}; balanced accuracy on the other half ${balancedAccuracy(judged, best.threshold).toFixed(3)}`,
  );
  for (const threshold of [0.5, 0.6, 0.65, 0.7, 0.8, 0.9]) {
    const same = share(judged, true, threshold);
    const other = share(judged, false, threshold);
    console.log(
      `  at ${threshold}: ${(100 * same).toFixed(1)}% of equal answers joined, ${(100 * other).toFixed(1)}% of different ones`,
    );
  }
}
await model[Symbol.asyncDispose]();

function makePairs({ question, answer, aliases = [] }, index, frame) {
  const others = byStem.get(stemOf({ question })).filter((other) => other.answer !== answer);
  const pairs = [];
  for (const [i, first] of WORDINGS.entries()) {
    for (const [j, second] of WORDINGS.entries()) {
      for (const right of [answer, ...aliases]) {
        if (i === j && right === answer) continue;
        pairs.push({
          index,
          same: true,
          a: frame(question, first(answer)),
          b: frame(question, second(right)),
        });
      }
      for (const other of others.slice(0, 3)) {
        pairs.push({
          index,
          same: false,
          a: frame(question, first(answer)),
          b: frame(question, second(other.answer)),
        });
      }
    }
  }
  return pairs;
}

function stemOf({ question }) {
  return question.split(" ").slice(0, STEM_WORDS).join(" ");
}

function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/** Of the pairs that are (not) the same, how many the threshold joins. */
function share(pairs, same, threshold) {
  const kind = pairs.filter((pair) => pair.same === same);
  return kind.filter(({ cosine }) => cosine >= threshold).length / kind.length;
}

function balancedAccuracy(pairs, threshold) {
  return (share(pairs, true, threshold) + 1 - share(pairs, false, threshold)) / 2;
}
