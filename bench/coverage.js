import { parseArgs } from "node:util";
import { bootstrapInterval } from "../dist/evaluation/bootstrap-interval.js";
import { pairedTest } from "../dist/evaluation/compare-scores.js";
import { evaluatePower } from "../dist/evaluation/detectable-auroc.js";
import { permutationTest } from "../dist/evaluation/evaluate-score.js";
import { rankedAuroc, rankScores } from "../dist/math/auroc.js";
import { normalCdf, normalQuantile } from "../dist/math/distributions.js";
import { createRng } from "../dist/math/rng.js";
import { chooseDecisionThreshold } from "../dist/probes/choose-decision-threshold.js";
import { printLater } from "./coverage/later.js";

// Do the statistics keep their promises? Synthetic studies whose truth is known by construction: answers of a question
// share its difficulty, and a score is normal given the label, so that its AUROC is Phi(shift / sqrt(2)) whatever the
// clusters. Counts how often 90% intervals contain the truth, how often 5% tests reject where there is nothing to
// find, and how large the losses are that conformal thresholds bound.
//
//   npm run bench:coverage -- [--sets 2000] [--only later]
//     --sets   synthetic data sets of each row; 2000 take about five minutes, and those of later.js as long again
//     --only   later: only the tables of coverage/later.js
//
// Prints the tables of docs/appendix/coverage.md.

const { values } = parseArgs({
  options: { sets: { type: "string", default: "2000" }, only: { type: "string" } },
});
const SETS = Number(values.sets);
const PERMUTATIONS = 199; // p-values are exact for any number; more only adds power
const RESAMPLES = 1000; // as the product
/** Share of a score's variance that both scores have in common, and of the label's that is its question's. */
const COMMON = 0.3;
const DIFFICULTY = 0.5;
/** New questions that a threshold is tried on: their mean loss stands for its expectation. */
const NEW_QUESTIONS = 100;

const DESIGNS = [
  { questions: 25, answers: 10, auroc: 0.75, wrong: 0.4 },
  { questions: 60, answers: 10, auroc: 0.75, wrong: 0.4 },
  { questions: 60, answers: 10, auroc: 0.9, wrong: 0.3 },
  { questions: 60, answers: 1, auroc: 0.75, wrong: 0.4 },
  { questions: 150, answers: 10, auroc: 0.7, wrong: 0.5 },
];

const coarseShifts = new Map();
const started = performance.now();
console.log(
  `${SETS} data sets a row, Monte Carlo error of 90%: ${percent(Math.sqrt(0.09 / SETS))}, of 5%: ${percent(Math.sqrt(0.0475 / SETS))}\n`,
);
if (values.only !== "later") printTables();
printLater({ sets: SETS, designs: DESIGNS, permutations: PERMUTATIONS, makeStudy, percent });
console.log(`\n${((performance.now() - started) / 1000).toFixed(0)} s`);

/** Intervals and tests of AUROCs, and thresholds for answering. */
function printTables() {
  console.log(
    "| questions x answers | AUROC | wrong | 90% interval of AUROC | of a difference | of a difference, coarse score |",
  );
  console.log("|---|---|---|---|---|---|");
  for (const design of DESIGNS) {
    const shares = average(design, "intervals", (study, set) => [
      contains(study, (weights) => rankedAuroc(study.ranked.fine, study.labels, weights), design.auroc, set),
      contains(study, (weights) => difference(study, "steady", weights), 0, set, "percentile"),
      contains(study, (weights) => difference(study, "coarse", weights), 0, set, "percentile"),
    ]);
    console.log(`| ${name(design)} | ${shares.map(percent).join(" | ")} |`);
  }

  console.log(
    "\n| questions x answers | AUROC | wrong | permutation test, nothing to find | paired test, equal scores | equal, one coarse | power at the smallest AUROC |",
  );
  console.log("|---|---|---|---|---|---|---|");
  for (const design of DESIGNS) {
    const shares = average(design, "tests", (study, set) => {
      const nothing = makeStudy({ ...design, auroc: 0.5 }, ["null", set]);
      const power = evaluatePower(study.labels, study.questionIds).smallest_auc;
      const found = power === null ? null : makeStudy({ ...design, auroc: power }, ["power", set]);
      return [
        rejects(nothing, "fine", set),
        comparison(study, "steady", set),
        comparison(study, "coarse", set),
        found === null ? Number.NaN : rejects(found, "steady", set),
      ];
    });
    console.log(`| ${name(design)} | ${shares.map(percent).join(" | ")} |`);
  }

  console.log(
    "\n| calibration questions x answers | target | mean loss on new questions | allowed | no threshold |",
  );
  console.log("|---|---|---|---|---|");
  for (const { questions, answers } of [
    { questions: 20, answers: 10 },
    { questions: 50, answers: 10 },
    { questions: 50, answers: 1 },
  ]) {
    for (const [kind, target] of [
      ["risk", 0.1],
      ["risk", 0.2],
      ["coverage", 0.8],
    ]) {
      const design = { questions, answers, auroc: 0.75, wrong: 0.4 };
      let none = 0;
      const [loss] = average(design, `${kind}${target}`, (study, set) => {
        const { fine } = study.scores;
        const { threshold } = chooseDecisionThreshold(fine, study.labels, study.questionIds, {
          kind,
          target,
        });
        if (threshold === null) none++;
        return [lossOf(threshold, kind, makeStudy({ ...design, questions: NEW_QUESTIONS }, ["new", set]))];
      });
      const allowed = kind === "risk" ? target : 1 - target;
      console.log(
        `| ${questions} x ${answers} | ${kind} ${target} | ${loss.toFixed(4)} | ${allowed.toFixed(2)} | ${percent(none / SETS)} |`,
      );
    }
  }
}

/** Mean over data sets of each number; NaN ones are left out. */
function average(design, purpose, measure) {
  const sums = [];
  const counts = [];
  for (let set = 0; set < SETS; set++) {
    const study = makeStudy(design, [purpose, set]);
    measure(study, set).forEach((value, i) => {
      if (Number.isNaN(value)) return;
      sums[i] = (sums[i] ?? 0) + Number(value);
      counts[i] = (counts[i] ?? 0) + 1;
    });
  }
  return sums.map((sum, i) => sum / counts[i]);
}

/**
 * A study with three scores of the same AUROC: `fine` varies from answer to answer, `steady` is the same noise for all
 * answers of a question, `coarse` is steady and takes few values, as semantic entropy does.
 */
function makeStudy({ questions, answers, auroc, wrong }, keys) {
  const rng = createRng("coverage", questions, answers, auroc, ...keys);
  const gaussian = () => normalQuantile(Math.min(Math.max(rng.next(), 1e-12), 1 - 1e-12));
  const shift = Math.SQRT2 * normalQuantile(auroc);
  const coarseShift = findCoarseShift(auroc);
  const border = normalQuantile(1 - wrong);
  const [own, shared] = [Math.sqrt(1 - COMMON), Math.sqrt(COMMON)];
  const questionIds = [];
  const labels = [];
  const scores = { fine: [], steady: [], coarse: [] };
  for (let question = 0; question < questions; question++) {
    const [difficulty, both, half, steady, coarse] = Array.from({ length: 5 }, gaussian);
    for (let answer = 0; answer < answers; answer++) {
      const label =
        Math.sqrt(DIFFICULTY) * difficulty + Math.sqrt(1 - DIFFICULTY) * gaussian() > border ? 1 : 0;
      questionIds.push(`q${question}`);
      labels.push(label);
      scores.fine.push(shift * label + shared * both + own * (half + gaussian()) * Math.SQRT1_2);
      scores.steady.push(shift * label + shared * both + own * steady);
      scores.coarse.push(toLevel(coarseShift * label + shared * both + own * coarse));
    }
  }
  if (new Set(labels).size < 2) return makeStudy({ questions, answers, auroc, wrong }, [...keys, "again"]);
  const ranked = Object.fromEntries(Object.entries(scores).map(([key, values]) => [key, rankScores(values)]));
  return { questionIds, labels: Uint8Array.from(labels), scores, ranked };
}

function toLevel(score) {
  return Math.max(-2, Math.min(3, Math.round(score)));
}

/** The shift at which the coarse score, its ties counted half, has this AUROC. */
function findCoarseShift(auroc) {
  const known = coarseShifts.get(auroc);
  if (known !== undefined) return known;
  let [low, high] = [-8, 8];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (coarseAuroc(middle) < auroc) low = middle;
    else high = middle;
  }
  coarseShifts.set(auroc, high);
  return high;
}

function coarseAuroc(shift) {
  const levels = [-2, -1, 0, 1, 2, 3];
  const chances = (mean) =>
    levels.map((level) => {
      const above = level === 3 ? 1 : normalCdf(level + 0.5 - mean);
      return above - (level === -2 ? 0 : normalCdf(level - 0.5 - mean));
    });
  const [right, wrong] = [chances(0), chances(shift)];
  let below = 0;
  let area = 0;
  levels.forEach((_, i) => {
    area += wrong[i] * (below + right[i] / 2);
    below += right[i];
  });
  return area;
}

/** @param method as the product has it: BCa for an AUROC, percentiles for a difference */
function contains({ questionIds }, statistic, truth, seed, method = "bca") {
  const { intervals } = bootstrapInterval(questionIds, statistic, {
    resamples: RESAMPLES,
    levels: [0.9],
    method,
    seed,
  });
  const [interval] = intervals;
  return interval.low <= truth && truth <= interval.high;
}

function difference({ ranked, labels }, other, weights) {
  return rankedAuroc(ranked.fine, labels, weights) - rankedAuroc(ranked[other], labels, weights);
}

function rejects({ scores, labels, questionIds }, score, seed) {
  return (
    permutationTest(scores[score], labels, questionIds, { permutations: PERMUTATIONS, seed }).p_value <= 0.05
  );
}

function comparison({ scores, labels, questionIds }, other, seed) {
  const options = { permutations: PERMUTATIONS, resamples: 1, seed };
  return pairedTest(scores.fine, scores[other], labels, questionIds, options).p_value <= 0.05;
}

/** Mean over questions of what the threshold bounds; without one nothing is answered (risk) or everything (coverage). */
function lossOf(threshold, kind, { scores, labels, questionIds }) {
  const questions = new Set(questionIds).size;
  const answers = questionIds.length / questions;
  let total = 0;
  scores.fine.forEach((score, row) => {
    const isGiven = threshold === null ? kind === "coverage" : score <= threshold.threshold;
    total += kind === "risk" ? Number(isGiven && labels[row] === 1) : Number(!isGiven);
  });
  return total / answers / questions;
}

function name({ questions, answers, auroc, wrong }) {
  return `${questions} x ${answers} | ${auroc} | ${percent(wrong)}`;
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}
