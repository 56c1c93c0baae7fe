import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishOpening } from "../../../test/fakes/finish-opening.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import {
  listPlanTrials,
  type MachinePlan,
  planSubject,
  readPlanTrial,
  resolvePlan,
  type TriedPlan,
} from "../../checkpoint/machine-plan.ts";
import { DOCTOR } from "../../cli/commands/doctor.ts";
import { sampleAnswers } from "../../engine/generate/generate.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { readCpuKind } from "../../engine/runtime/machine-node.ts";
import { choosePlan, tryPlans } from "./try-plans.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
const tried = (workers: number, rows: number, tokensPerSecond: number): TriedPlan => ({
  workers,
  rows,
  tokensPerSecond,
});

describe("choosePlan", () => {
  it("takes the fastest plan", () => {
    expect(choosePlan([tried(2, 20, 300), tried(2, 40, 400), tried(2, 80, 500), tried(1, 80, 260)])).toEqual(
      tried(2, 80, 500),
    );
  });

  it("takes fewer rows where they are as fast within 5%, and fewer copies only where they are faster", () => {
    expect(choosePlan([tried(4, 40, 1000), tried(4, 20, 960), tried(2, 40, 995)])).toEqual(tried(4, 20, 960));
    expect(choosePlan([tried(4, 40, 1000), tried(4, 20, 940)])).toEqual(tried(4, 40, 1000));
    expect(choosePlan([tried(4, 40, 1000), tried(4, 20, 960), tried(2, 40, 1010)])).toEqual(
      tried(2, 40, 1010),
    );
  });
});

describe("resolvePlan", () => {
  const thumb = { workers: 4, rows: 40 };
  const trial = { chosen: tried(2, 80, 500) };

  it("follows what is asked, then the trial, then the rule of thumb", () => {
    expect(resolvePlan({}, thumb, null)).toEqual(thumb);
    expect(resolvePlan({}, thumb, trial)).toEqual({ workers: 2, rows: 80 });
    expect(resolvePlan({ workers: 4 }, thumb, trial)).toEqual({ workers: 4, rows: 80 });
    expect(resolvePlan({ rows: 10 }, thumb, null)).toEqual({ workers: 4, rows: 10 });
  });

  it("refuses more copies than threads and memory allow", () => {
    expect(() => resolvePlan({ workers: 5 }, thumb, null)).toThrow(
      /Got 5 workers, but threads and memory allow 4 copies of this model\. Ask for 4 or fewer/,
    );
  });
});

describe("tryPlans", () => {
  let model: LanguageModel;
  let cache: string;
  beforeAll(async () => {
    model = await loadModel(CHECKPOINT, { threads: 3 });
  });
  afterAll(() => model[Symbol.asyncDispose]());
  beforeEach(async () => {
    measured = [];
    cpuShare = 0.9;
    perRow = 1;
    cache = await mkdtemp(join(tmpdir(), "sep-plans-"));
    vi.stubEnv("SEP_CACHE", cache);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(cache, { recursive: true, force: true });
  });
  let measured: MachinePlan[];
  let cpuShare: number;
  let perRow: number;
  /** 100 tokens/s per worker, and some per row. */
  async function* measure(_: LanguageModel, plans: readonly MachinePlan[]) {
    for (const plan of plans) {
      measured.push(plan);
      yield { ...plan, tokensPerSecond: 100 * plan.workers + perRow * plan.rows, cpuShare };
    }
  }
  const asked = (): string[] => measured.map(({ workers, rows }) => `${workers} x ${rows}`);

  it("tries rows with all copies, then half the copies with the best of them, and keeps the outcome", async () => {
    const { chosen, tried: all } = await finishOpening(tryPlans(model, { measure }));
    expect(asked()).toEqual(["3 x 80", "3 x 160", "2 x 160"]);
    expect(chosen).toEqual(tried(3, 160, 460));
    const subject = planSubject(model.provenance, { threadsPerWorker: 1, mostWorkers: 3 });
    expect(await readPlanTrial(subject)).toMatchObject({ tried: all, chosen, model: CHECKPOINT });
    expect(await readPlanTrial({ ...subject, dtype: "int8" })).toBeNull();
    expect(await readPlanTrial({ ...subject, mostWorkers: 2 })).toBeNull();
    expect(await listPlanTrials()).toHaveLength(1);
    const cpu = readCpuKind();
    expect(await readPlanTrial({ ...subject, cpu: { ...cpu, name: "another" } })).toBeNull();
    expect(await listPlanTrials({ ...cpu, instructionSets: ["another"] })).toEqual([]);
  });

  it("tries fewer rows as long as they are as fast within 5%", async () => {
    perRow = 0.2;
    const { chosen } = await finishOpening(tryPlans(model, { measure }));
    expect(asked()).toEqual(["3 x 80", "3 x 160", "3 x 40", "2 x 160"]);
    expect(chosen).toEqual(tried(3, 80, 316));
    perRow = 0;
    measured = [];
    expect(await finishOpening(tryPlans(model, { measure }))).toMatchObject({ chosen: { rows: 20 } });
    expect(asked()).toEqual(["3 x 80", "3 x 160", "3 x 40", "3 x 20", "2 x 80"]);
  });

  it("ends at once on a busy machine, keeps the rule of thumb, and leaves the trial to a later run", async () => {
    cpuShare = 0.6;
    const trial = await finishOpening(tryPlans(model, { measure }));
    expect(trial).toMatchObject({ chosen: { workers: 3, rows: 80 }, cpuShare: 0.6 });
    expect(measured).toEqual([{ workers: 3, rows: 80 }]);
    expect(await listPlanTrials()).toEqual([]);
  });

  it("shows the outcome in `sep doctor`", async () => {
    await finishOpening(tryPlans(model, { measure }));
    const cli = createFakeCli();
    expect(await DOCTOR.run(["--out", tmpdir()], cli.context)).toBe(0);
    // wrapped
    expect(cli.stdout().replaceAll(/\s+/g, " ")).toMatch(
      /ok plan \S*qwen3-tied, float32: 3 workers with 160 rows per pass: 460 tokens\/s/,
    );
  });
});

it("gives an answer the same bits whatever the rows of a pass and the copies", async () => {
  const sampleWith = async (plan: Partial<MachinePlan>) => {
    await using model = await loadModel(CHECKPOINT, { threads: 2, ...plan });
    const options = { runIds: [0, 1, 2, 3, 4, 5, 6], sampler: PLAIN_SAMPLER, seed: 1, streamKey: "q" };
    return {
      limits: model.limits,
      workers: model.workers,
      answers: await sampleAnswers(model, [5, 6, 7], options),
    };
  };
  const whole = await sampleWith({});
  expect(whole).toMatchObject({ workers: 2, limits: { rows: 80 } });
  const narrow = await sampleWith({ workers: 1, rows: 3 });
  expect(narrow).toMatchObject({ workers: 1, limits: { rows: 3 } });
  expect(narrow.limits.kvBytes / whole.limits.kvBytes).toBeCloseTo(2, 3);
  expect(narrow.answers).toEqual(whole.answers);
});
