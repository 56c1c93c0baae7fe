import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { type StudyShape, writeStudy } from "../../../test/fakes/write-study.ts";
import type { ProbeEval } from "../../evaluation/probe-eval.ts";
import { SCORE_NAMES } from "../../evaluation/score-names.ts";
import { readNpz } from "../../store/array-file.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { loadProbe } from "../probe-files.ts";
import type { StepEvent, StepResult } from "../step.ts";
import type { Workspace } from "../workspace.ts";
import { type BuildDatasetsOptions, buildDatasets } from "./build-datasets.ts";
import { evaluateProbes } from "./evaluate-probes.ts";
import { type TrainProbesOptions, trainProbes } from "./train-probes.ts";
import { writeReport } from "./write-report.ts";

const QUICK = { resamples: 100, permutations: 99 };
const roots: string[] = [];

afterAll(async () => {
  await Promise.all(roots.map((root) => rm(root, { recursive: true })));
});

describe("steps 5 to 7 on a study with a planted signal", () => {
  let workspace: Workspace;
  let results: readonly StepResult[];
  let events: readonly StepEvent[];
  let evaluation: ProbeEval;
  beforeAll(async () => {
    workspace = await makeStudy({ questions: 150, truncatedShare: 0.05 });
    ({ results, events } = await runAll(workspace));
    evaluation = await readEvaluation(workspace);
  }, 60_000); // a machine that does other things besides

  it("writes the splits with the promised keys, 70/15/15 by question", async () => {
    const arrays = await readNpz(workspace.probeDataset("math_train"));
    const promised = [
      "X_hidden",
      "y_correct",
      "mean_think_entropy",
      "semantic_entropy",
      "question_ids",
      "run_ids",
    ];
    expect(Object.keys(arrays)).toEqual(expect.arrayContaining(promised));
    expect(arrays.X_hidden!.shape).toEqual([arrays.question_ids!.data.length, 12]);
    const { counts } = results[0]!;
    expect([counts.math_train_questions, counts.math_val_questions, counts.math_test_questions]).toEqual([
      105, 23, 22,
    ]);
    expect(counts.math_train_rows! + counts.math_val_rows! + counts.math_test_rows!).toBe(
      counts.math_samples! - counts.math_dropped_truncated!,
    );
    expect(counts.math_dropped_truncated).toBeGreaterThan(0);
    expect(evaluation.warnings.map(({ code }) => code)).toContain("dropped-rows");
  });

  it("finds the signal out of sample and reports every promised number", () => {
    const { math_test: test, ood_test: ood } = evaluation;
    // Difficulty is planted; what is left to chance is each sample's correctness.
    expect(test.auc_accuracy_probe).toBeGreaterThan(0.7);
    expect(test.auc_se_probe).toBeGreaterThan(0.7);
    expect(test.auc_se_probe_high_se).toBeGreaterThan(0.8);
    expect(ood!.auc_accuracy_probe).toBeGreaterThan(0.7);
    expect(test.p_value_auc_accuracy).toBe(0.01); // 1 / (1 + 99), the least there is
    expect(test.mean_conf_acc_correct).toBeGreaterThan(test.mean_conf_acc_incorrect!);
    expect(test.tau_answer).toBe(evaluation.math_val.tau_answer);
    expect(test.accuracy_at_tau).toBeGreaterThan(1 - test.counts.incorrect / test.counts.rows);
    expect(Math.abs(test.shuffled_label_control!.auc_mean - 0.5)).toBeLessThan(0.2);
    const [ninety] = test.scores.accuracy_probe.auc_intervals;
    expect(ninety!.low).toBeLessThan(test.auc_accuracy_probe!);
    expect(ninety!.high).toBeGreaterThan(test.auc_accuracy_probe!);
    expect(evaluation.probes.accuracy_probe).toMatchObject({ position: "think-end" });
    expect(evaluation.probes.accuracy_probe!.layer).toBeGreaterThan(0); // layer 0 is constant there
    expect(evaluation.source).toMatchObject({ model: "fake-model", norm_state: "residual" });
  });

  it("compares scores, draws curves and says what the study could find", () => {
    const { math_test: test } = evaluation;
    // all scores but the probes, p(True), which was not measured, and the combination that knows less
    const rivals = SCORE_NAMES.filter((name) => !/probe|p_false|combined_before/.test(name)).length;
    const firsts = test.paired_comparisons.map(({ first }) => first);
    expect(firsts.filter((first) => first === "se_probe")).toHaveLength(1 + rivals);
    expect(firsts.filter((first) => first === "accuracy_probe")).toHaveLength(rivals);
    for (const { p_value, p_value_holm } of test.paired_comparisons)
      expect(p_value_holm).toBeGreaterThanOrEqual(p_value!);
    expect(test.constant_feature_control).toMatchObject({
      auc: 0.5,
      auprc: test.counts.incorrect / test.counts.rows,
    });
    expect(test.calibration.accuracy_probe!.brier).toBeLessThan(test.constant_feature_control!.brier);
    expect(test.power!.smallest_auc).toBeGreaterThan(0.6); // 22 questions
    expect(test.power!.design_effect).toBeGreaterThan(1);
    const { y, low, high } = test.curves.accuracy_probe!.roc;
    expect([y.length, low.length, high.length]).toEqual([51, 51, 51]);
    expect(y.at(-1)).toBe(1);
    // The curve's area is the AUROC, but for what the grid cuts off.
    const area = y.slice(1).reduce((sum, value, i) => sum + (value + y[i]!) / 100, 0);
    expect(Math.abs(area - test.auc_accuracy_probe!)).toBeLessThan(0.01);
    const spread = test.entropy_histogram.reduce((sum, bin) => sum + bin.question_count, 0);
    expect(spread).toBe(test.counts.questions);
  });

  it("keeps with each probe what the evaluation finds on validation", async () => {
    const targets = evaluation.decisions!.filter(({ score }) => score === "se_probe");
    const se = await loadProbe(workspace.seProbe);
    expect(se.calibration_map).toEqual(evaluation.calibration_maps!.se_probe.platt);
    expect(se.decisions.map(({ kind, target }) => [kind, target])).toEqual([
      ["risk", 0.1],
      ["coverage", 0.8],
    ]);
    expect(se.decisions.map(({ threshold }) => threshold)).toEqual(targets.map(({ threshold }) => threshold));
    const accuracy = await loadProbe(workspace.accuracyProbe);
    expect(accuracy.calibration_map).toEqual(evaluation.calibration_maps!.accuracy_probe.platt);
    const baseline = await loadProbe(workspace.entropyBaseline);
    expect(baseline.calibration_map).toEqual(evaluation.calibration_maps!.entropy_baseline.platt);
    expect(baseline.asking).toBeNull(); // nobody generated these runs
  });

  it("keeps what the training states are like, and counts who is unlike them", async () => {
    const { familiarity, position, width } = await loadProbe(workspace.accuracyProbe);
    const train = await readNpz(workspace.probeDataset("math_train"));
    const questions = new Set(train.question_ids!.data as readonly string[]).size;
    expect(familiarity).toMatchObject({ training_questions: questions, level: 0.05 });
    expect(familiarity!.directions).toHaveLength(familiarity!.variances.length * width);
    expect(familiarity!.distances).toHaveLength(23); // one a question, not one an answer
    const { accuracy_probe: found } = evaluation.familiarity!;
    expect(position).toBe("think-end");
    expect(found).toMatchObject({ level: 0.05, validation_questions: 23 });
    expect(Object.keys(found!.splits).sort()).toEqual(["math_test", "ood_test"]);
    // the sets are drawn alike: about one in twenty of either
    for (const { question_count, unfamiliar_count, unfamiliar_share } of Object.values(found!.splits)) {
      expect(unfamiliar_share).toBe(unfamiliar_count / question_count);
      expect(unfamiliar_share).toBeLessThan(0.3);
    }
    expect((await loadProbe(workspace.entropyBaseline)).familiarity).toBeNull();
    expect(evaluation.warnings.map(({ code }) => code)).not.toContain("no-familiarity");
  });

  it("calibrates on validation and keeps the maps", () => {
    const { calibration_maps: maps, math_val: val, math_test: test } = evaluation;
    expect(maps!.accuracy_probe).toMatchObject({
      platt: { method: "platt" },
      isotonic: { method: "isotonic" },
    });
    expect(val.calibration.accuracy_probe!.platt).toBeNull();
    const { bins, platt } = test.calibration.accuracy_probe!;
    expect(platt!.ece).toBeGreaterThanOrEqual(0);
    expect(bins.reduce((sum, bin) => sum + bin.row_count, 0)).toBe(test.counts.rows);
  });

  it("promises a risk and a coverage, and reports what came of it", () => {
    const { decisions } = evaluation;
    expect(decisions!.map(({ score, kind }) => `${score} ${kind}`)).toContain("accuracy_probe risk");
    expect(decisions).toHaveLength(2 * (SCORE_NAMES.length - 1)); // p(True) was not measured
    const coverage = decisions!.find(({ score, kind }) => score === "accuracy_probe" && kind === "coverage")!;
    expect(coverage.threshold).toMatchObject({ target: 0.8, calibration_questions: 23 });
    expect(Object.keys(coverage.achieved).sort()).toEqual(["math_test", "ood_test"]);
    const { coverage: achieved, risk, error_when_answering: error } = coverage.achieved.ood_test!;
    expect(achieved.estimate).toBeGreaterThan(0.6); // 0.8 on average over studies of 23 and 150 questions
    expect(risk.estimate).toBeLessThan(
      evaluation.ood_test!.counts.incorrect / evaluation.ood_test!.counts.rows,
    );
    expect(error).toBeGreaterThan(0);
    // 23 questions are enough for a risk of 0.1 and too few for one of 0.01
    expect(decisions!.find(({ kind }) => kind === "risk")!.threshold).not.toBeNull();
  });

  it("lists the consistently wrong with what they say", () => {
    const { consistently_wrong: found } = evaluation.ood_test!;
    expect(found.question_count).toBe(found.questions.length);
    for (const question of found.questions) {
      expect(question.question_id).toMatch(/^ood-/);
      expect(question.answer).toMatch(/^\d+$/);
      expect(question.cluster_share).toBeGreaterThan(0);
      expect(question.discrete_semantic_entropy).toBeLessThanOrEqual(evaluation.se_threshold.threshold);
      expect(2 * question.incorrect_count).toBeGreaterThan(question.row_count);
    }
    expect(found.low_entropy_incorrect_rows).toBeLessThan(found.incorrect_rows);
  });

  it("counts its progress up to its total", () => {
    for (const step of ["dataset", "train", "eval"]) {
      const own = events.filter((event) => event.step === step);
      const advanced = own.flatMap((event) => (event.kind === "advanced" ? [event] : []));
      expect(advanced.map((event) => event.done)).toEqual(advanced.map((_, i) => i + 1));
      expect(advanced.at(-1)!.done).toBe(advanced.at(-1)!.total);
      expect(own.find((event) => event.kind === "started")).toMatchObject({ total: advanced.at(-1)!.total });
    }
  });

  it("does nothing again when nothing changed, and the same bytes when forced", async () => {
    const before = await readFile(workspace.probeEval);
    const report = await readFile(workspace.report, "utf8");
    const again = await runAll(workspace);
    expect(again.results.map((result) => result.status)).toEqual(Array(4).fill("up-to-date"));
    await runAll(workspace, {}, { force: true });
    expect((await readFile(workspace.probeEval)).equals(before)).toBe(true);
    expect(await readFile(workspace.report, "utf8")).toBe(report);
  });

  it("refuses a position or layer that was not traced", async () => {
    await expect(drain(buildDatasets(workspace, { layer: 9, force: true }))).rejects.toThrow(
      /Layer 9 .* not traced/,
    );
  });
});

describe("files that were made and are gone", () => {
  it("are missing, and not left out in silence", async () => {
    const workspace = await makeStudy({ questions: 40 });
    const lacks = (name: string) => ({ code: "missing-input", message: expect.stringContaining(name) });
    await runSteps(workspace);
    await rm(workspace.probeDataset("ood_test"));
    await expect(drain(evaluateProbes(workspace, QUICK))).rejects.toMatchObject(lacks("ood_test.npz"));
    await expect(drain(writeReport(workspace))).rejects.toMatchObject(lacks("ood_test.npz"));
    const [states, runs] = [workspace.hiddenStates("ood"), workspace.runs("math")];
    await rm(states);
    await writeFile(manifestPathOf(states), "{}");
    const again = drain(buildDatasets(workspace, { force: true }));
    await expect(again).rejects.toMatchObject(lacks("ood_hidden_states"));
    await rm(runs, { force: true });
    await writeFile(manifestPathOf(runs), "{}");
    await expect(drain(evaluateProbes(workspace, QUICK))).rejects.toMatchObject(lacks("math_runs.jsonl"));
  });
});

describe("what is asked of a decision", () => {
  it("is part of the settings, and is refused with a reason where it cannot be promised", async () => {
    const workspace = await makeStudy({ questions: 40, withOod: false });
    await runSteps(workspace);
    const { counts, status } = await drain(
      evaluateProbes(workspace, { ...QUICK, targetRisk: 0.02, targetCoverage: 0.5 }),
    );
    expect(status).toBe("ran");
    expect(counts.math_val_questions).toBe(6);
    const { decisions } = await readEvaluation(workspace);
    const [risk, coverage] = decisions!;
    expect(risk).toMatchObject({ kind: "risk", target: 0.02, threshold: null, achieved: {} });
    expect(risk!.reason).toMatch(/6 calibration questions .* at least 49/);
    expect(coverage!.threshold).toMatchObject({ kind: "coverage", target: 0.5 });
  });
});

describe("degenerate studies", () => {
  it("work without a second question set, and forget an earlier one", async () => {
    const workspace = await makeStudy({ withOod: false });
    await runSteps(workspace);
    await writeFile(workspace.probeDataset("ood_test"), "left over");
    await runSteps(workspace, { seed: 1 });
    const evaluation = await readEvaluation(workspace);
    expect(evaluation.ood_test).toBeUndefined();
    expect(evaluation.warnings.map(({ code }) => code)).toContain("no-ood");
    expect(evaluation.warnings.map(({ code }) => code)).toContain("few-questions");
    // 9 of 60 questions are for validation: no p-value could be as small as the level
    expect(evaluation.warnings).toContainEqual({
      code: "no-familiarity",
      message:
        "The accuracy probe cannot tell which questions are unfamiliar: 9 validation questions have a state, but a level of 0.05 needs at least 19. Add questions.",
    });
    expect(evaluation.familiarity).toEqual({ accuracy_probe: null, se_probe: null });
  });

  it("say null, and why, when every answer is right", async () => {
    const workspace = await makeStudy({ allCorrect: true });
    await runAll(workspace);
    const { math_test: test, warnings, probes } = await readEvaluation(workspace);
    expect(test.auc_accuracy_probe).toBeNull();
    expect(test.p_value_auc_accuracy).toBeNull();
    expect(test.tau_answer).toBeNull();
    expect(test.mean_conf_acc_correct).toBeNull();
    expect(probes.accuracy_probe).toBeNull();
    const codes = warnings.map(({ code }) => code);
    expect(test.power).toBeNull();
    expect(test.curves.accuracy_probe).toBeNull();
    expect(test.paired_comparisons).toEqual([]);
    for (const code of ["one-class", "se-threshold-zero", "se-one-class", "no-tau"])
      expect(codes).toContain(code);
    expect(await readFile(workspace.report, "utf8")).toContain("one class");
  });

  it("find nothing where there is nothing", async () => {
    const workspace = await makeStudy({ questions: 150, signal: 0 });
    await runSteps(workspace);
    const { ood_test: ood } = await readEvaluation(workspace);
    expect(Math.abs(ood!.auc_accuracy_probe! - 0.5)).toBeLessThan(0.08); // 900 rows, standard error about 0.02
    expect(ood!.scores.accuracy_probe.auc_intervals[1]!.low).toBeLessThan(0.52);
  });

  it("keep the same question under two ids on one side, and count it once", async () => {
    const spell = ["What is 1? Say it.", "what is  1 -- say it", "WHAT IS 1: “Say it!”"];
    const ask = (set: string, q: number): string =>
      set === "math"
        ? spell[Math.floor(q / 20)]!.replace("1", `${q % 20} + 7`)
        : `What is ${q + 10} + 7? Say it.`;
    const workspace = await makeStudy({ questions: 40, ask });
    const { results } = await runSteps(workspace);
    expect(results[0]!.counts).toMatchObject({
      math_duplicate_questions: 20,
      ood_duplicate_questions: 0,
      ood_also_in_math: 10,
      ood_test_questions: 30,
    });
    const codes = results[0]!.warnings.map(({ code, message }) => `${code}: ${message}`);
    expect(codes).toContainEqual(
      'duplicate-questions: math: 20 questions repeat others of the set (20 in the same words, 0 nearly): "math-0020" repeats "math-0000". Duplicates stay on one side of every split and count as one question.',
    );
    expect(codes).toContainEqual(
      expect.stringMatching(
        /^shared-questions: ood: 10 questions .* left out: "ood-0000", .*"ood-0004" and 5 more\.$/,
      ),
    );
    const sideOf = new Map<string, string>();
    for (const split of ["math_train", "math_val", "math_test"] as const) {
      const { question_ids: ids, question_group: groups } = await readNpz(workspace.probeDataset(split));
      for (const [row, id] of (ids!.data as string[]).entries()) {
        const group = (groups!.data as string[])[row]!;
        expect(group).toBe(
          id < "math-0020" ? id : `math-${String(Number(id.slice(5)) - 20).padStart(4, "0")}`,
        );
        expect(sideOf.get(group) ?? split).toBe(split);
        sideOf.set(group, split);
      }
    }
    expect(sideOf.size).toBe(20);
    const { math_test: test, warnings } = await readEvaluation(workspace);
    expect(test.counts.questions).toBe(6);
    expect(test.scores.accuracy_probe.question_count).toBe(3);
    expect(warnings).toContainEqual({
      code: "few-questions",
      message: expect.stringMatching(/^math_test: 3 different questions: intervals/),
    });
    const probe = await loadProbe(workspace.accuracyProbe);
    expect(probe.training.question_count).toBe(28);
  });

  it("go on without a second set whose questions are all in the first", async () => {
    const workspace = await makeStudy({ questions: 20, ask: (_, q) => `What is ${q} + ${q}?` });
    const { results } = await runSteps(workspace);
    expect(results[0]!.counts.ood_also_in_math).toBe(20);
    expect(results[0]!.warnings).toContainEqual({
      code: "no-ood",
      message: expect.stringMatching(/^All 20 questions of the second set are also in the first/),
    });
    expect((await readEvaluation(workspace)).ood_test).toBeUndefined();
    expect(results.every(({ status }) => status === "ran")).toBe(true);
    expect((await runSteps(workspace)).results.map(({ status }) => status)).toEqual(
      Array(3).fill("up-to-date"),
    );
  });

  it("take another position, layer, penalty and threshold when told to", async () => {
    const workspace = await makeStudy({ questions: 40 });
    const training = { layer: 2, c: 0.5, seThreshold: 0.4 } as const;
    await runSteps(workspace, { position: "before-generation", layer: 1 }, training);
    const { probes, se_threshold } = await readEvaluation(workspace);
    expect(probes.accuracy_probe).toMatchObject({ position: "before-generation", layer: 2, C: 0.5 });
    expect(se_threshold).toEqual({ method: "given", threshold: 0.4 });
  });
});

async function makeStudy(shape: StudyShape): Promise<Workspace> {
  const root = await mkdtemp(join(tmpdir(), "sep-study-"));
  roots.push(root);
  return writeStudy(root, shape);
}

/** With the report, for tests that read it. */
async function runAll(...args: Parameters<typeof runSteps>): ReturnType<typeof runSteps> {
  const [workspace, , { force = false } = {}] = args;
  const { results, events } = await runSteps(...args);
  return { results: [...results, await drain(writeReport(workspace, { force }))], events };
}

async function runSteps(
  workspace: Workspace,
  building: BuildDatasetsOptions = {},
  training: TrainProbesOptions = {},
): Promise<{ results: StepResult[]; events: StepEvent[] }> {
  const events: StepEvent[] = [];
  const results: StepResult[] = [];
  for (const step of [
    buildDatasets(workspace, building),
    trainProbes(workspace, training),
    evaluateProbes(workspace, { ...QUICK, force: training.force ?? false }),
  ]) {
    const finished = await finishStep(step);
    results.push(finished.result);
    events.push(...finished.events);
  }
  return { results, events };
}

const drain = async (step: AsyncGenerator<StepEvent, StepResult>): Promise<StepResult> =>
  (await finishStep(step)).result;

const readEvaluation = async (workspace: Workspace): Promise<ProbeEval> =>
  JSON.parse(await readFile(workspace.probeEval, "utf8")) as ProbeEval;
