import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type StudyShape, writeStudy } from "../../../test/fakes/write-study.ts";
import type { SemanticEntropyRecord } from "../../entropy/semantic-entropy-record.ts";
import type { TransferEval } from "../../evaluation/transfer-eval.ts";
import { splitQuestions } from "../../probes/split-questions.ts";
import type { Question } from "../../samples/question.ts";
import { readJsonl, writeJsonl } from "../../store/jsonl.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { fileExists } from "../../store/read-file.ts";
import { readSafetensorsHeader, readTensor, writeSafetensors } from "../../store/safetensors.ts";
import { openTransferSets } from "../probes/transfer-sets.ts";
import type { StepEvent, StepResult } from "../step.ts";
import { openWorkspace, SPLIT_SOURCES, type Workspace } from "../workspace.ts";
import { buildDatasets } from "./build-datasets.ts";
import { transferProbes } from "./transfer-probes.ts";

const QUICK = { resamples: 60, permutations: 49, c: 0.01 };
const roots: string[] = [];

afterAll(async () => {
  await Promise.all(roots.map((root) => rm(root, { recursive: true })));
});

describe("transferProbes on three data sets with one planted signal", () => {
  let out: Workspace;
  let folders: string[];
  let events: StepEvent[];
  let result: StepResult;
  let transfer: TransferEval;
  beforeAll(async () => {
    out = openWorkspace(await makeFolder());
    folders = [
      (await makeStudy("first", { questions: 60, seed: 1 })).root,
      (await makeStudy("second", { questions: 60, seed: 2, withOod: false })).root,
    ];
    ({ events, result } = await drain(transferProbes(out, folders, QUICK)));
    transfer = await readTransfer(out);
  });

  it("tries every source on every target, and all but each on it", () => {
    expect(transfer.datasets.map(({ set }) => set)).toEqual(["math", "ood", "math"]);
    expect(transfer.matrix).toHaveLength(9);
    expect(transfer.leave_one_out.map(({ source }) => source)).toEqual([null, null, null]);
    for (const cell of [...transfer.matrix, ...transfer.leave_one_out]) {
      // The same direction is planted in all; the difficulty decides, samples scatter.
      expect(cell.accuracy_probe.auc).toBeGreaterThan(0.6);
      expect(cell.se_probe.auc).toBeGreaterThan(0.6);
      expect(cell.difference!.p_value_holm).toBeGreaterThanOrEqual(cell.difference!.p_value!);
    }
    for (const { discrete_semantic_entropy: entropy } of transfer.untrained)
      expect(entropy.auc).toBeGreaterThan(0.5);
  });

  it("averages what the papers average", () => {
    const names = transfer.datasets.map(({ name }) => name);
    for (const [place, own] of transfer.by_target.entries()) {
      const cells = transfer.matrix.filter(({ target }) => target === names[place]);
      const others = cells.filter(({ source }) => source !== names[place]);
      const mean = others.reduce((sum, { se_probe }) => sum + se_probe.auc!, 0) / others.length;
      expect(own.single_source!.se_probe!.estimate).toBeCloseTo(mean, 12); // sums in another order
      expect(own.in_distribution!.se_probe!.estimate).toBeCloseTo(
        cells.find(({ source }) => source === names[place])!.se_probe.auc!,
        12,
      );
    }
    const overall = transfer.overall.leave_one_out!;
    const areas = transfer.leave_one_out.map(({ accuracy_probe }) => accuracy_probe.auc!);
    expect(overall.count).toBe(3);
    expect(overall.accuracy_probe!.estimate).toBeCloseTo((areas[0]! + areas[1]! + areas[2]!) / 3, 12);
    expect(overall.standard_error_over_datasets).toBeGreaterThan(0);
  });

  it("chooses layers among the training questions, on as many as it says", () => {
    const { accuracy_probe: trained } = transfer.training;
    expect(trained).toHaveLength(6);
    // Layer 0 is constant at think-end.
    for (const { layer } of trained) expect(layer).toBeGreaterThan(0);
    expect(trained.map(({ training_questions }) => training_questions)).toEqual([42, 42, 42, 84, 84, 84]);
    expect(transfer.datasets.map(({ test_questions }) => test_questions)).toEqual([18, 18, 18]);
  });

  it("keeps every question on one side", async () => {
    for (const { train, test } of await openTransferSets(folders, 42)) {
      const trained = new Set(train.questionIds);
      expect(test.questionIds.filter((question) => trained.has(question))).toEqual([]);
      expect(new Set([...train.questionIds, ...test.questionIds]).size).toBe(60);
    }
  });

  it("counts its progress up to its total, and does nothing the second time", async () => {
    for (const part of new Set(events.map((event) => event.part))) {
      const own = events.filter((event) => event.part === part);
      const advanced = own.flatMap((event) => (event.kind === "advanced" ? [event] : []));
      expect(advanced.map(({ done }) => done)).toEqual(advanced.map((_, i) => i + 1));
      expect(own[0]).toMatchObject({ kind: "started", total: advanced.length });
    }
    expect(result).toMatchObject({ status: "ran", counts: { datasets: 3 } });
    const before = await readFile(out.transfer);
    expect((await drain(transferProbes(out, folders, QUICK))).result.status).toBe("up-to-date");
    await drain(transferProbes(out, folders, { ...QUICK, force: true }));
    expect((await readFile(out.transfer)).equals(before)).toBe(true);
  });
});

describe("transferProbes leaves out", () => {
  it("test questions that another set is trained on, by text, or by id where there is no text", async () => {
    const study = await makeStudy("shared", { questions: 20, withOod: false });
    const other = await makeStudy("shared", { questions: 60, withOod: false });
    const out = openWorkspace(await makeFolder());
    const { result } = await drain(transferProbes(out, [study.root, other.root], QUICK));
    const { datasets, warnings } = await readTransfer(out);
    const left = result.counts.test_questions_trained_on!;
    expect(left).toBeGreaterThan(3);
    expect(left).toBe(6 + 18 - datasets[0]!.test_questions - datasets[1]!.test_questions);
    expect(warnings).toContainEqual({
      code: "shared-questions",
      message: expect.stringMatching(
        /\/math: \d+ test questions are also training questions of another data set, .*"math-00/,
      ),
    });
    for (const hasTexts of [true, false]) {
      if (!hasTexts) await rm(other.raw("math"));
      const [one, two] = await openTransferSets([study.root, other.root], 42);
      for (const [{ test }, { train }] of [
        [one!, two!],
        [two!, one!],
      ] as const)
        expect(test.questionIds.filter((id) => train.questionIds.includes(id))).toEqual([]);
      expect([one!.leftOut.length + two!.leftOut.length]).toEqual([left]);
    }
  });
});

describe("transferProbes refuses", () => {
  let study: Workspace;
  beforeAll(async () => {
    study = await makeStudy("refusals", { questions: 20, withOod: false });
  });

  const refusal = async (folders: readonly string[]): Promise<string> => {
    const out = openWorkspace(await makeFolder());
    const error: Error = await drain(transferProbes(out, folders, QUICK)).then(
      () => expect.fail("nothing was refused"),
      (reason: Error) => reason,
    );
    expect(await fileExists(out.transfer)).toBe(false);
    return error.message;
  };

  it("one data set, and a folder given twice", async () => {
    expect(await refusal([study.root])).toMatch(/one data set, .*\/math, but transfer needs two/);
    expect(await refusal([study.root, study.root])).toMatch(/given twice/);
  });

  it("a set whose test questions are all trained on elsewhere", async () => {
    const { train, val, test } = splitQuestions(
      Array.from({ length: 20 }, (_, q) => `math-${String(q).padStart(4, "0")}`),
    );
    const tested = [...val, ...test].map((id) => Number(id.slice(5)));
    const trained = train.map((id) => Number(id.slice(5)));
    const ask = (_: string, q: number): string => {
      const other = tested.includes(q) ? trained[tested.indexOf(q)]! : q + 100;
      return `What is ${other} + ${other}?`;
    };
    const other = await makeStudy("refusals", { questions: 20, withOod: false, ask });
    expect(await refusal([study.root, other.root])).toMatch(
      /^All 6 test questions of .*\/math are also training questions of .*\/math: /,
    );
  });

  it("another model, norm state or width", async () => {
    const other = await makeStudy("other model", { questions: 20, withOod: false });
    await rewriteMetadata(other, { weights_sha256: "def456" });
    expect(await refusal([study.root, other.root])).toMatch(
      /differ in weights_sha256: "abc123" against "def456"/,
    );
    await rewriteMetadata(other, { weights_sha256: "abc123", norm_state: "final-norm" });
    expect(await refusal([study.root, other.root])).toMatch(/norm_state: "residual" against "final-norm"/);
    const wide = await makeStudy("wide", { questions: 20, withOod: false, width: 14 });
    expect(await refusal([study.root, wide.root])).toMatch(/width: "12" against "14"/);
    const deep = await makeStudy("deep", { questions: 20, withOod: false, blocks: 4 });
    expect(await refusal([study.root, deep.root])).toMatch(/layers: "0,1,2,3" against "0,1,2,3,4"/);
  });

  it("another position", async () => {
    const other = await makeStudy("elsewhere", { questions: 20, withOod: false });
    await drain(buildDatasets(other, { position: "before-generation", force: true }));
    expect(await refusal([study.root, other.root])).toMatch(/think-end token and .* before-generation one/);
  });

  it("to go on when it is told to stop", async () => {
    const out = openWorkspace(await makeFolder());
    const other = await makeStudy("stopped", { questions: 20, withOod: false });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(drain(transferProbes(out, [study.root, other.root], { ...QUICK, signal }))).rejects.toThrow(
      "enough",
    );
    expect(await fileExists(out.transfer)).toBe(false);
  });
});

it("says null, and why, where a data set has one class", async () => {
  const out = openWorkspace(await makeFolder());
  const plain = await makeStudy("plain", { questions: 30, withOod: false });
  const easy = await makeStudy("easy", { questions: 30, withOod: false, allCorrect: true });
  await drain(transferProbes(out, [plain.root, easy.root], QUICK));
  const { matrix, overall, warnings } = await readTransfer(out);
  const [, toEasy, fromEasy] = matrix;
  expect(toEasy!.accuracy_probe.auc).toBeNull();
  expect(fromEasy!.accuracy_probe.auc).toBeNull();
  expect(fromEasy!.difference).toBeNull();
  expect(overall.single_source).toBeNull();
  const codes = warnings.map(({ code }) => code);
  for (const code of ["one-class", "few-questions", "no-leave-one-out"]) expect(codes).toContain(code);
});

it("counts the questions of each target that have no semantic_entropy", async () => {
  const out = openWorkspace(await makeFolder());
  const studies: Workspace[] = [];
  for (const every of [2, 1]) {
    const study = await makeStudy(`every ${every}`, { questions: 60, withOod: false });
    const path = study.semanticEntropy("math");
    const { rows } = await readJsonl(path, { parse: (value) => value as SemanticEntropyRecord });
    await writeJsonl(
      path,
      rows.map((row, i) => (i % every === 0 ? { ...row, semantic_entropy: null } : row)),
    );
    await drain(buildDatasets(study, { force: true }));
    studies.push(study);
  }
  const folders = studies.map(({ root }) => root);
  await drain(transferProbes(out, folders, QUICK));
  const { untrained, warnings } = await readTransfer(out);
  expect(untrained.map(({ semantic_entropy: { auc } }) => auc === null)).toEqual([false, true]);
  expect(warnings.flatMap(({ code, message }) => (code === "no-likelihood" ? [message] : []))).toEqual([
    expect.stringMatching(
      /\d of 18 test questions have no semantic_entropy, .* over the other questions alone/,
    ),
    expect.stringMatching(/18 of 18 test questions have no semantic_entropy, so its AUROC is null/),
  ]);
});

async function makeFolder(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "sep-transfer-"));
  roots.push(root);
  return root;
}

/** A study up to its data sets, whose questions no study of another name has. */
async function makeStudy(name: string, shape: StudyShape): Promise<Workspace> {
  const workspace = await writeStudy(await makeFolder(), shape);
  for (const set of SPLIT_SOURCES) {
    if (!(await fileExists(workspace.raw(set)))) continue;
    const { rows } = await readJsonl(workspace.raw(set), { parse: (value) => value as Question });
    await writeJsonl(
      workspace.raw(set),
      rows.map((row) => ({ ...row, question: `${name}, ${set}: ${row.question}` })),
    );
  }
  await drain(buildDatasets(workspace));
  return workspace;
}

async function rewriteMetadata(
  workspace: Workspace,
  changes: Readonly<Record<string, string>>,
): Promise<void> {
  const path = workspace.hiddenStates("math");
  const { tensors, metadata } = await readSafetensorsHeader(path);
  const copies = await Promise.all(
    [...tensors].map(async ([name, entry]) => ({
      name,
      dtype: "F32" as const,
      shape: entry.shape,
      data: await readTensor(path, entry),
    })),
  );
  await writeSafetensors(path, copies, { ...metadata, ...changes });
  await rm(manifestPathOf(workspace.probeDataset("math_train")), { force: true }); // not of the states that were there
}

async function drain(
  step: AsyncGenerator<StepEvent, StepResult>,
): Promise<{ events: StepEvent[]; result: StepResult }> {
  const events: StepEvent[] = [];
  let next = await step.next();
  while (!next.done) {
    events.push(next.value);
    next = await step.next();
  }
  return { events, result: next.value };
}

const readTransfer = async ({ transfer }: Workspace): Promise<TransferEval> =>
  JSON.parse(await readFile(transfer, "utf8")) as TransferEval;
