// Speed of mathEquivalent on the pairs of test/golden/math-equivalence.jsonl, and on the same numbers as models mostly
// give them; beside it, in turn, Python math_verify's parse and verify on the same pairs, warm, in one process.
//
//   npm run bench:math [-- --python PYTHON-WITH-MATH-VERIFY --rounds N]
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { python: { type: "string" }, rounds: { type: "string", default: "3" } },
});
const golden = (name) => fileURLToPath(new URL(`../test/golden/${name}`, import.meta.url));
const pairs = readFileSync(golden("math-equivalence.jsonl"), "utf8").trimEnd().split("\n").map(JSON.parse);

const loadedAt = performance.now();
const { mathEquivalent } = await import("../dist/text/math-equivalent.js");
mathEquivalent("1+\\sqrt{2}", "\\sqrt{2}+1");
console.log(`load and first pair: ${(performance.now() - loadedAt).toFixed(0)} ms, node ${process.version}`);

const whole = Array.from({ length: 100_000 }, (_, at) => ({ a: String(at), b: String(at + (at % 2)) }));
function timed(table) {
  let worst = { ms: 0 };
  const start = performance.now();
  for (const { a, b } of table) {
    const from = performance.now();
    mathEquivalent(a, b);
    const ms = performance.now() - from;
    if (ms > worst.ms) worst = { ms, a, b };
  }
  return { pairsPerSecond: (1000 * table.length) / (performance.now() - start), worst };
}

const rounds = { table: [], whole: [], python: [] };
timed(pairs);
for (let round = 0; round < Number(values.rounds); round++) {
  rounds.table.push(timed(pairs));
  rounds.whole.push(timed(whole));
  if (values.python === undefined) continue;
  const seconds = Number(
    execFileSync(values.python, [golden("generate/math_verify.py"), "--time"], { encoding: "utf8" }),
  );
  rounds.python.push({ pairsPerSecond: pairs.length / seconds });
}
const median = (of) => of.map(({ pairsPerSecond }) => pairsPerSecond).sort((a, b) => a - b)[of.length >> 1];
console.log(`ours, ${pairs.length} pairs of the table: ${median(rounds.table).toFixed(0)} pairs/s`);
const { ms, a, b } = rounds.table.at(-1).worst;
console.log(`  the slowest of them: ${ms.toFixed(1)} ms, ${a} and ${b}`);
console.log(`ours, whole numbers: ${median(rounds.whole).toFixed(0)} pairs/s`);
if (rounds.python.length > 0) {
  console.log(`math_verify, the table: ${median(rounds.python).toFixed(0)} pairs/s`);
  console.log(`ratio: ${(median(rounds.table) / median(rounds.python)).toFixed(0)}`);
}
