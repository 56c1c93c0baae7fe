import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import type { SemanticEntropyRecord } from "../../entropy/semantic-entropy-record.ts";
import type { ProbeEval } from "../../evaluation/probe-eval.ts";
import { readJsonl, writeJsonl } from "../../store/jsonl.ts";
import { buildAnalysisTable } from "../exchange/analysis-table.ts";
import { buildDatasets } from "../steps/build-datasets.ts";
import { evaluateProbes } from "../steps/evaluate-probes.ts";
import { trainProbes } from "../steps/train-probes.ts";
import { writeReport } from "../steps/write-report.ts";
import type { Workspace } from "../workspace.ts";

const QUICK = { resamples: 50, permutations: 49 };
const QUESTIONS = 60;

/** A study that lacks it for every n-th question, from the data sets to the report. */
async function study(
  root: string,
  every: number | null,
): Promise<{ workspace: Workspace; evaluation: ProbeEval }> {
  const workspace = await writeStudy(root, { questions: QUESTIONS, withOod: false });
  const path = workspace.semanticEntropy("math");
  const { rows } = await readJsonl(path, { parse: (value) => value as SemanticEntropyRecord });
  const isMissing = (i: number): boolean => every !== null && i % every === 0;
  await writeJsonl(
    path,
    rows.map((row, i) => (isMissing(i) ? { ...row, semantic_entropy: null } : row)),
  );
  await finishStep(buildDatasets(workspace));
  await finishStep(trainProbes(workspace, { c: 0.01 }));
  await finishStep(evaluateProbes(workspace, QUICK));
  await finishStep(writeReport(workspace));
  return { workspace, evaluation: JSON.parse(await readFile(workspace.probeEval, "utf8")) as ProbeEval };
}

describe("questions without likelihood-weighted semantic entropy", () => {
  let root: string;
  let whole: ProbeEval;
  let some: { workspace: Workspace; evaluation: ProbeEval };
  let none: { workspace: Workspace; evaluation: ProbeEval };
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-missing-"));
    whole = (await study(join(root, "whole"), null)).evaluation;
    some = await study(join(root, "some"), 2);
    none = await study(join(root, "none"), 1);
  });
  afterAll(() => rm(root, { recursive: true }));

  const likelihood = ({ warnings }: Pick<ProbeEval, "warnings">): string[] =>
    warnings.flatMap(({ code, message }) => (code === "no-likelihood" ? [message] : []));

  it("are counted, and measures of it are over the others", () => {
    expect(likelihood(whole)).toEqual([]);
    expect(likelihood(some.evaluation)).toEqual([
      expect.stringMatching(
        /^math: 30 of 60 questions have no semantic_entropy, .* over the other questions alone/,
      ),
    ]);
    const { semantic_entropy: own, discrete_semantic_entropy: all } = some.evaluation.math_test.scores;
    expect(own.auc).not.toBeNull();
    expect(own.question_count).toBeLessThan(all.question_count);
    expect(all).toEqual(whole.math_test.scores.discrete_semantic_entropy);
  });

  it("leave measures of it null where there are no others, and say so", () => {
    expect(likelihood(none.evaluation)).toEqual([
      expect.stringMatching(/^math: 60 of 60 questions have no semantic_entropy, .* its measures are null/),
    ]);
    const { math_test: test, decisions } = none.evaluation;
    expect([test.auc_semantic_entropy, test.rejection.semantic_entropy]).toEqual([null, null]);
    expect(test.scores.semantic_entropy.row_count).toBe(0);
    expect(test.paired_comparisons.flatMap(({ first, second }) => [first, second])).not.toContain(
      "semantic_entropy",
    );
    expect(decisions!.map(({ score }) => score)).not.toContain("semantic_entropy");
  });

  it("change neither labels, threshold nor probes, which go by the discrete one", () => {
    for (const { evaluation } of [some, none]) {
      expect(evaluation.se_threshold).toEqual(whole.se_threshold);
      expect(evaluation.math_test.scores.se_probe_high_se).toEqual(whole.math_test.scores.se_probe_high_se);
      expect(evaluation.math_test.scores.accuracy_probe).toEqual(whole.math_test.scores.accuracy_probe);
    }
  });

  it("are in the report and the table", async () => {
    for (const { workspace } of [some, none]) {
      expect(await readFile(workspace.report, "utf8")).toContain("questions have no semantic_entropy");
      const table = await buildAnalysisTable(workspace);
      const cells = (name: string) => table.find((column) => column.name === name)!.cells;
      expect(cells("semantic_entropy")).toContain(null);
      expect(cells("discrete_semantic_entropy")).not.toContain(null);
    }
  });
});
