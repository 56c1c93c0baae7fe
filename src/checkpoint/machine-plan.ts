import { z } from "zod";
import type { ModelProvenance } from "../engine/language-model.ts";
import { type CpuKind, readCpuKind } from "../engine/runtime/machine-node.ts";
import { ortNode } from "../engine/runtime/ort-node.ts";
import { SepError } from "../errors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { listCachedJson, readCachedJson, writeCachedJson } from "./cached-json.ts";

/** How many copies of a model generate in parallel, and how many answers each has in a pass. An answer depends on neither. */
export interface MachinePlan {
  readonly workers: number;
  readonly rows: number;
}

/** A plan and how fast it was. */
export type TriedPlan = MachinePlan & { readonly tokensPerSecond: number };

/** What a plan is chosen for; another model, CPU or onnxruntime needs a trial of its own. */
interface PlanSubject {
  readonly weightsSha256: string;
  readonly dtype: ModelProvenance["dtype"];
  readonly threadsPerWorker: number;
  /** Copies that threads and memory allow. */
  readonly mostWorkers: number;
  readonly cpu: CpuKind;
  /** Version of onnxruntime. */
  readonly runtime: string;
}

/** A trial's outcome, as it is kept in the cache. */
export interface PlanTrial extends PlanSubject {
  /** As the user named the model. */
  readonly model: string;
  readonly tried: readonly TriedPlan[];
  readonly chosen: TriedPlan;
  /** What the workers got of their CPUs in the worst of the plans, in [0, 1]; less than 1 on a machine with other work. */
  readonly cpuShare: number;
}

/**
 * The plan that is followed: as asked, else as a trial found, else by the rule of thumb. More copies than threads and memory
 * allow are refused: each would have fewer threads, on which an answer's last bits may depend.
 * @param thumb with as many copies as threads and memory allow
 * @throws SepError `bad-option`
 */
export function resolvePlan(
  asked: { readonly [Name in keyof MachinePlan]?: number | undefined },
  thumb: MachinePlan,
  trial: Pick<PlanTrial, "chosen"> | null,
): MachinePlan {
  const { workers = trial?.chosen.workers ?? thumb.workers } = asked;
  const { rows = trial?.chosen.rows ?? thumb.rows } = asked;
  if (workers <= thumb.workers) return { workers, rows };
  throw new SepError(
    "bad-option",
    `Got ${workers} workers, but threads and memory allow ${thumb.workers} copies of this model. Ask for ${thumb.workers} or fewer, or allow more with --threads and --memory.`,
  );
}

/** Folder of the cache. */
const KIND = "machine-plans";

export const planSubject = (
  { weights_sha256, dtype }: Pick<ModelProvenance, "weights_sha256" | "dtype">,
  { threadsPerWorker, mostWorkers }: Pick<PlanSubject, "threadsPerWorker" | "mostWorkers">,
): PlanSubject => ({
  weightsSha256: weights_sha256,
  dtype,
  threadsPerWorker,
  mostWorkers,
  cpu: readCpuKind(),
  runtime: ortNode.version,
});

/** What an earlier trial found on this machine; null if there was none. */
export async function readPlanTrial(subject: PlanSubject): Promise<PlanTrial | null> {
  return parseTrial(await readCachedJson(KIND, keyOf(subject)));
}

/** @throws SepError `cache-not-writable` */
export const writePlanTrial = (trial: PlanTrial): Promise<void> =>
  writeCachedJson(KIND, keyOf(trial), trial as unknown as Json);

/** The trials of all models on this kind of CPU. */
export async function listPlanTrials(cpu: CpuKind = readCpuKind()): Promise<readonly PlanTrial[]> {
  const trials = [...(await listCachedJson(KIND)).values()].map(parseTrial);
  const here = stableStringify(cpu as unknown as Json);
  return trials.filter(
    (trial) =>
      trial !== null &&
      trial.runtime === ortNode.version &&
      stableStringify(trial.cpu as unknown as Json) === here,
  ) as PlanTrial[];
}

const keyOf = ({ weightsSha256, dtype, threadsPerWorker, mostWorkers, cpu, runtime }: PlanSubject): string =>
  fingerprint(
    stableStringify({
      weightsSha256,
      dtype,
      threadsPerWorker,
      mostWorkers,
      cpu: cpu as unknown as Json,
      runtime,
    }),
  );

const TRIED = z.object({
  workers: z.int().min(1),
  rows: z.int().min(1),
  tokensPerSecond: z.number().gt(0),
});
const TRIAL = z.object({
  model: z.string(),
  weightsSha256: z.string(),
  dtype: z.string(),
  threadsPerWorker: z.int(),
  mostWorkers: z.int(),
  cpu: z.object({ name: z.string(), threads: z.int(), instructionSets: z.array(z.string()) }),
  runtime: z.string(),
  tried: z.array(TRIED),
  chosen: TRIED,
  cpuShare: z.number(),
});

/** @returns null for what this version did not write: then it is tried again */
const parseTrial = (value: Json | null): PlanTrial | null =>
  (TRIAL.safeParse(value).data as PlanTrial | undefined) ?? null;
