import { measureAddedValue } from "../../dist/evaluation/added-value.js";
import { pairedTestAcross } from "../../dist/evaluation/compare-scores.js";
import { achieveExit } from "../../dist/evaluation/evaluate-exit.js";
import { bootstrapAugrc } from "../../dist/evaluation/rejection.js";
import { correctedInterval } from "../../dist/evaluation/summarise-seeds.js";
import { auroc } from "../../dist/math/auroc.js";
import { normalQuantile } from "../../dist/math/distributions.js";
import { logistic } from "../../dist/math/logistic.js";
import { createRng } from "../../dist/math/rng.js";
import { chooseExitThreshold } from "../../dist/probes/choose-exit-threshold.js";
import { chooseRouteThreshold } from "../../dist/probes/choose-route-threshold.js";
import { splitQuestions } from "../../dist/probes/split-questions.js";

// The statistics that came later than those of coverage.js: AUGRC, differences between studies, added value, promises of leaving
// early and of routing, and intervals over seeds.

/** Refits of nested models are slow. */
const FEWER = 4;

/** Prints a table of each. */
export function printLater({ sets, designs, permutations, makeStudy, percent }) {
  printIntervals({ sets, designs, permutations, makeStudy, percent });
  printPromises(sets, percent);
  printSeeds(sets, percent);
}

function printIntervals({ sets, designs, permutations, makeStudy, percent }) {
  console.log(
    "\n| questions x answers | AUROC | wrong | 90% interval of AUGRC | of a difference between two studies | its test, equal scores | added value, nothing to add |",
  );
  console.log("|---|---|---|---|---|---|---|");
  for (const design of designs) {
    const { auroc: area, wrong } = design;
    const truth = wrong ** 2 / 2 + wrong * (1 - wrong) * (1 - area);
    const found = { augrc: [], between: [], rejected: [], added: [] };
    for (let set = 0; set < sets; set++) {
      const study = makeStudy(design, ["later", set]);
      const { labels, questionIds, scores } = study;
      const { intervals } = bootstrapAugrc(scores.fine, labels, questionIds, { levels: [0.9], seed: set });
      found.augrc.push(contains(intervals[0], truth));
      // other answers to the same questions, found as well
      const other = shareDifficulty(design, set);
      const tested = pairedTestAcross(other[0], other[1], { permutations, seed: set });
      if (tested !== null) {
        found.between.push(contains(tested.auc_difference.intervals[0], 0));
        found.rejected.push(tested.p_value <= 0.05);
      }
      if (set % FEWER !== 0) continue;
      const rng = createRng("coverage-noise", design.questions, set);
      const noisy = Float64Array.from(scores.fine, (score) => score + rng.next());
      const added = measureAddedValue([Float64Array.from(scores.fine)], noisy, labels, questionIds, {
        permutations,
        seed: set,
      });
      if (added !== null && added.p_value !== null) found.added.push(added.p_value <= 0.05);
    }
    const shares = Object.values(found).map((each) => percent(share(each)));
    console.log(
      `| ${design.questions} x ${design.answers} | ${area} | ${percent(wrong)} | ${shares.join(" | ")} |`,
    );
  }
}

/** Two studies of the same questions: difficulty is the question's, answers and scores are each study's own. */
function shareDifficulty({ questions, answers, auroc: area, wrong }, set) {
  const shift = Math.SQRT2 * normalQuantile(area);
  const border = normalQuantile(1 - wrong);
  const rng = createRng("coverage-between", questions, answers, area, set);
  const gaussian = () => normalQuantile(Math.min(Math.max(rng.next(), 1e-12), 1 - 1e-12));
  const sides = [0, 1].map(() => ({ scores: [], labels: [], questionIds: [] }));
  for (let question = 0; question < questions; question++) {
    const [difficulty, common] = [gaussian(), gaussian()];
    for (const side of sides) {
      const steady = gaussian();
      for (let answer = 0; answer < answers; answer++) {
        const label = Math.SQRT1_2 * (difficulty + gaussian()) > border ? 1 : 0;
        side.questionIds.push(`q${question}`);
        side.labels.push(label);
        side.scores.push(shift * label + Math.sqrt(0.3) * common + Math.sqrt(0.35) * (steady + gaussian()));
      }
    }
  }
  return sides;
}

/** Promises of leaving early and of routing, on as many new questions as they were calibrated on. */
function printPromises(sets, percent) {
  console.log(
    "\n| promise | calibration questions | target | mean risk on new questions | studies that kept it |",
  );
  console.log("|---|---|---|---|---|");
  for (const questions of [45, 150])
    for (const promise of ["realized", "expected"]) {
      const target = { target: 0.1, promise, confidence: 0.95 };
      const risks = [];
      for (let set = 0; set < sets; set++) {
        const { threshold } = chooseExitThreshold(drawChains(questions, ["calibration", set]), target);
        risks.push(achieveExit(drawChains(questions, ["new", set]), threshold).risk);
      }
      console.log(`| exit, ${promise} | ${questions} | 0.1 | ${describeRisks(risks, 0.1, percent)} |`);
    }
  for (const questions of [45, 150]) {
    const risks = [];
    for (let set = 0; set < sets; set++) {
      const { threshold } = chooseRouteThreshold(drawRoutes(questions, ["calibration", set]), 0.2);
      const rows = drawRoutes(questions, ["new", set]);
      const limit = threshold?.threshold ?? Number.NEGATIVE_INFINITY;
      const wrong = rows.scores.map((score, row) =>
        score <= limit ? rows.smallIncorrect[row] : rows.largeIncorrect[row],
      );
      risks.push(share(wrong));
    }
    console.log(`| route, expected | ${questions} | 0.2 | ${describeRisks(risks, 0.2, percent)} |`);
  }
}

const describeRisks = (risks, target, percent) =>
  `${share(risks).toFixed(4)} | ${percent(share(risks.map((risk) => risk <= target + 1e-9)))}`;

/** Chains of up to eight steps whose answer settles somewhere; the score sees that in noise. */
function drawChains(questions, keys) {
  const rng = createRng("coverage-exit", questions, ...keys);
  return Array.from({ length: questions }, (_, question) => {
    const count = 2 + rng.integer(7);
    const settled = rng.integer(count);
    const steps = Array.from({ length: count }, (_, step) => ({
      score: (step < settled ? 1 : 0) + 1.2 * rng.next(),
      harm: step < settled ? 1 : 0,
      cost: step + 1,
    }));
    return { questionGroup: `q${question}`, steps, endCost: count, fullTokens: count };
  });
}

/** Three answers a question of a small model, and one of a large model, which is wrong less often. */
function drawRoutes(questions, keys) {
  const rng = createRng("coverage-route", questions, ...keys);
  const rows = { scores: [], smallIncorrect: [], largeIncorrect: [], questionIds: [] };
  for (let question = 0; question < questions; question++) {
    const difficulty = 6 * rng.next() - 3;
    const large = rng.next() < 0.02 + 0.1 * logistic(difficulty) ? 1 : 0;
    for (let answer = 0; answer < 3; answer++) {
      rows.questionIds.push(`q${question}`);
      rows.scores.push(difficulty + 4 * (rng.next() - 0.5));
      rows.smallIncorrect.push(rng.next() < logistic(1.5 * difficulty) ? 1 : 0);
      rows.largeIncorrect.push(large);
    }
  }
  return rows;
}

const FEATURES = 8;
const ANSWERS = 4;
const NEW_QUESTIONS = 200;

/**
 * Studies that are split and fitted anew with five or ten seeds: how often do 95% intervals contain what such a split is expected to give?
 * The truth is the mean of the same fits on many new questions.
 */
function printSeeds(sets, percent) {
  console.log(
    "\n| questions, seeds | score | expected AUROC | corrected interval | n1 the training questions alone | uncorrected |",
  );
  console.log("|---|---|---|---|---|---|");
  for (const [questions, seeds] of [
    [60, 5],
    [200, 5],
    [200, 10],
  ]) {
    const studies = Array.from({ length: sets }, (_, set) => repeatStudy(questions, seeds, set));
    for (const score of ["fitted", "fixed"]) {
      const truth = share(studies.map((study) => study[score].expected));
      const covered = (ratioOf) =>
        percent(
          share(
            studies.map((study) =>
              contains(correctedInterval(study[score].found, ratioOf(study), 0.95), truth),
            ),
          ),
        );
      const shares = [
        covered(({ test, train, val }) => test / (train + val)),
        covered(({ test, train }) => test / train),
        covered(() => 0),
      ];
      console.log(`| ${questions}, ${seeds} | ${score} | ${truth.toFixed(3)} | ${shares.join(" | ")} |`);
    }
  }
}

function repeatStudy(questions, seeds, set) {
  const rows = drawRows(questions, ["study", set]);
  const fresh = drawRows(NEW_QUESTIONS, ["fresh", set]);
  const ids = [...new Set(rows.map(({ question }) => question))];
  const fitted = { found: [], expected: 0 };
  const fixed = { found: [], expected: share([areaOf(fresh, FIXED)]) };
  let sizes;
  for (let seed = 0; seed < seeds; seed++) {
    const { train, val, test } = splitQuestions(ids, { seed });
    sizes = { train: train.length, val: val.length, test: test.length };
    const isTrained = new Set(train);
    const isTested = new Set(test);
    const direction = fitDirection(rows.filter(({ question }) => isTrained.has(question)));
    const held = rows.filter(({ question }) => isTested.has(question));
    fitted.found.push(areaOf(held, direction));
    fixed.found.push(areaOf(held, FIXED));
    fitted.expected += areaOf(fresh, direction) / seeds;
  }
  return { fitted, fixed, ...sizes };
}

/** Answers whose features show the question's difficulty, each in much noise. */
function drawRows(questions, keys) {
  const rng = createRng("coverage-seeds", questions, ...keys);
  const gaussian = () => normalQuantile(Math.min(Math.max(rng.next(), 1e-12), 1 - 1e-12));
  return Array.from({ length: questions }, (_, question) => {
    const difficulty = gaussian();
    return Array.from({ length: ANSWERS }, () => ({
      question: `q${String(question).padStart(3, "0")}`,
      label: difficulty + gaussian() > 0 ? 1 : 0,
      x: Array.from({ length: FEATURES }, (_, j) => (j < 3 ? 0.5 * difficulty : 0) + gaussian()),
    }));
  }).flat();
}

const FIXED = Array.from({ length: FEATURES }, (_, j) => (j < 3 ? 1 : 0));

/** The difference of the classes' means, which is a probe. */
function fitDirection(rows) {
  const meanOf = (label, j) => share(rows.filter((row) => row.label === label).map(({ x }) => x[j]));
  return Array.from({ length: FEATURES }, (_, j) => meanOf(1, j) - meanOf(0, j));
}

function areaOf(rows, direction) {
  const scores = rows.map(({ x }) => x.reduce((sum, value, j) => sum + value * direction[j], 0));
  const labels = rows.map(({ label }) => label);
  return new Set(labels).size < 2 ? 0.5 : auroc(scores, labels);
}

const contains = ({ low, high }, truth) => low <= truth && truth <= high;

/** Mean of numbers or of truths. */
const share = (values) => values.reduce((sum, value) => sum + Number(value), 0) / values.length;
