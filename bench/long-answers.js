// What the estimates that compare words take on ten answers of 15,000 words each.
//
//   npm run bench:long-answers [-- --words N --answers N]
import { parseArgs } from "node:util";
import { jaccardAffinity } from "../dist/entropy/graph-measures.js";
import { lexicalSimilarity } from "../dist/entropy/pair-measures.js";
import { createRng } from "../dist/math/rng.js";

const { values } = parseArgs({
  options: { words: { type: "string", default: "15000" }, answers: { type: "string", default: "10" } },
});
const rng = createRng(1);
const COMMON = ["the", "of", "and", "to", "a"];
const word = () =>
  rng.next() < 0.6 ? `w${Math.floor(rng.next() * 3000)}` : COMMON[Math.floor(rng.next() * COMMON.length)];
const answers = Array.from({ length: Number(values.answers) }, () =>
  Array.from({ length: Number(values.words) }, word).join(" "),
);
for (const [name, compute] of Object.entries({ lexicalSimilarity, jaccardAffinity })) {
  const startMs = performance.now();
  const value = compute(answers);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${name}: ${seconds} s${typeof value === "number" ? `, ${value}` : ""}`);
}
