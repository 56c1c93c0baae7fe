import { afterAll, beforeAll, expect, it } from "vitest";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { servingPlanOf } from "./local-engine.ts";

let pocket: LanguageModel;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
});
afterAll(() => pocket[Symbol.asyncDispose]());

it("serves large models with few copies of many threads, and as many rows in all", () => {
  const plan = (workers: number, threadsPerPass: number, mostWorkers = workers) =>
    servingPlanOf({ ...pocket, workers, mostWorkers, threadsPerPass, limits: { rows: 40, kvBytes: 1 } });
  expect(plan(2, 2)).toEqual({ workers: 1, rows: 80, threads: 2 });
  expect(plan(16, 16)).toEqual({ workers: 2, rows: 320, threads: 8 });
  // one of several threads is no use to the others, whatever a trial found
  expect(plan(1, 2, 2)).toEqual({ workers: 1, rows: 40, threads: 2 });
  // memory for one copy
  expect(plan(1, 16)).toEqual({ workers: 1, rows: 40, threads: 16 });
  // a model that is too small to be split
  expect(plan(4, 1)).toEqual({ workers: 4, rows: 40 });
});
