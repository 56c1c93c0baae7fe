import { createHash } from "node:crypto";
import { type LoadModelOptions, ROWS_PER_PASS } from "../../checkpoint/load-model.ts";
import type { MachinePlan } from "../../checkpoint/machine-plan.ts";
import type { BatchUsage } from "../../engine/generate/batcher.ts";
import { generate, sampleAnswers } from "../../engine/generate/generate.ts";
import { readAnswer } from "../../engine/generate/read-answer.ts";
import { sampleWithStates } from "../../engine/generate/sample-with-states.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { canStartWorkers, startWorkerThreads, workerFile } from "../../engine/runtime/worker-threads-node.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";
import type { AnswerSampler } from "../../samples/answer-backend.ts";
import type { StateReader, TracedAnswers } from "../../states/state-backend.ts";
import { traceAnswers } from "../../states/trace-answers.ts";
import type { LiveModel } from "../live-model.ts";
import { returnStates } from "./shared-states.ts";

/** Samples answers and reads states; `generate` and `readAnswer` do so token by token. */
interface LocalEngine extends AnswerSampler, StateReader {
  readonly generate: LiveModel["generate"];
  readonly readAnswer: LiveModel["read"];
  usage(): Promise<BatchUsage>;
}

/**
 * Rows of the questions that a worker has at a time. They are more than its batch holds, since a question counts until the
 * longest of its answers has ended, when few of its rows still run; with half of these rows, batches of short answers of
 * mixed lengths were 78% full. And they are so many that the questions of a short run are shared evenly at its start: whoever
 * ended a batch first took a whole batch of what was left, and the others waited for it.
 * @param rows in a pass
 */
export const rowsPerWorker = (rows: number): number => 4 * rows;

/**
 * An engine for some questions. onnxruntime's Node binding runs a pass on the thread that asks for it, so copies of a
 * model run in parallel only on threads of our own, each with the model loaded.
 * @param questions how many there are to do
 * @param plan the model's own by default
 */
export async function openLocalEngine(
  model: LanguageModel,
  questions: number,
  plan: MachinePlan = planOf(model),
): Promise<LocalEngine> {
  // a pass that is split among more threads rounds differently: what is left of a run must not be drawn by one
  const isSplit = model.threadsPerPass !== model.threadsPerWorker;
  const worthIt = isSplit ? questions : Math.floor(questions / QUESTIONS_WORTH_A_WORKER);
  const workers = Math.min(plan.workers, worthIt);
  if (workers < (isSplit ? 1 : 2) || !canStartWorkers()) return runHere(model);
  return startCopies(model, { ...plan, workers });
}

/** An engine for questions whose askers wait, on threads of its own, so that this one is free for other work. */
export const openServingEngine = async (model: LanguageModel): Promise<LocalEngine> =>
  canStartWorkers() ? startCopies(model, servingPlanOf(model)) : runHere(model);

/** How a loaded model generates, unless a trial finds better. */
export const planOf = ({ workers, limits: { rows } }: LanguageModel): MachinePlan => ({ workers, rows });

/** A plan, and onnxruntime's threads within each copy. */
interface CopyPlan extends MachinePlan {
  /** Those of a worker by default. */
  readonly threads?: number;
}

/**
 * Few copies, whose passes are split among the CPUs: one question gets all of them, a prompt is run in a fraction of the time,
 * and the questions of all askers share a batch. Samples of many questions, for which nobody waits, take a copy per CPU.
 */
export function servingPlanOf(model: LanguageModel): CopyPlan {
  const plan = planOf(model);
  const { threadsPerPass } = model;
  if (threadsPerPass === 1) return plan; // too small a model to split
  const workers = Math.min(model.mostWorkers, Math.ceil(threadsPerPass / MOST_THREADS_PER_PASS));
  const rows = Math.ceil((plan.rows * plan.workers) / workers);
  return { workers, rows, threads: Math.floor(threadsPerPass / workers) };
}

/** Beyond these, the threads of a pass wait for each other longer than they work, as a rule of thumb. */
const MOST_THREADS_PER_PASS = 8;

/** Starts workers with copies of a loaded model. */
export function startCopies(
  model: LanguageModel,
  { workers, rows, threads = model.threadsPerWorker }: CopyPlan,
): Promise<LocalEngine> {
  const { id, revision, dtype, device, weights_sha256 } = model.provenance;
  return startModelWorkers(model.path, workers, {
    name: { id, revision },
    threads,
    workers: 1,
    rows,
    kvBytes: (model.limits.kvBytes * model.workers) / workers,
    dtype,
    device: { name: device },
    trustedSha256: weights_sha256,
  });
}

/** Starting a worker takes about as long as this many questions to the embedded model. */
const QUESTIONS_WORTH_A_WORKER = 8;

/** The engine on this thread. */
export function runHere(model: LanguageModel): LocalEngine {
  const { batcher } = model;
  const before = batcher.usage;
  return {
    concurrency: 1,
    draw: (prompt, { states, ...options }) =>
      states === undefined
        ? sampleAnswers(model, prompt.tokenIds, { ...options, sharedTokens: prompt.sharedTokens })
        : sampleWithStates(model, prompt, { ...options, states }),
    read: (promptIds, answers, options) => traceAnswers(model, promptIds, answers, options),
    generate: (prompt, options) => generate(model, prompt, options),
    readAnswer: (prompt, text, options) => readAnswer(model, prompt, text, options),
    usage: async () => addUsage([batcher.usage], before),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** One job for a worker; it and its result cross the thread boundary by structured clone. */
export type ModelJob =
  | { readonly kind: "draw"; readonly job: Parameters<LocalEngine["draw"]> }
  | { readonly kind: "read"; readonly job: Parameters<LocalEngine["read"]> }
  | { readonly kind: "generate"; readonly job: Parameters<LocalEngine["generate"]> }
  | { readonly kind: "read-answer"; readonly job: Parameters<LocalEngine["readAnswer"]> }
  | { readonly kind: "usage" };

/** Arguments for `loadModel` in a worker; plain data, since they go to another thread. */
type WorkerModelOptions = Pick<
  LoadModelOptions,
  "threads" | "workers" | "rows" | "kvBytes" | "dtype" | "device" | "trustedSha256" | "name"
>;

/** What a worker is started with. */
export interface WorkerSetup {
  /** Where the model is. @see loadModel */
  readonly path: string;
  readonly options: WorkerModelOptions;
}

/** What a thread has run already of a conversation, or of another prompt that begins like this one. */
const beginningsOf = ({ tokenIds, sharedTokens = [] }: Prompt): string[] =>
  sharedTokens.map((end) =>
    createHash("sha256")
      .update(String(tokenIds.slice(0, end)))
      .digest("base64"),
  );

/**
 * Starts threads that each load the model; answers to several questions are drawn in the same passes.
 * @param path where the model is
 * @param options for each one's `loadModel`
 */
export async function startModelWorkers(
  path: string,
  count: number,
  options: WorkerModelOptions = { threads: 1 },
): Promise<LocalEngine> {
  const setup: WorkerSetup = { path, options };
  const threads = startWorkerThreads<ModelJob, unknown>(
    workerFile(import.meta.url, "model-worker"),
    count,
    setup,
    rowsPerWorker(options.rows ?? ROWS_PER_PASS),
  );
  return {
    concurrency: count,
    draw: (prompt, { signal, ...options }) =>
      threads.submit(
        { kind: "draw", job: [prompt, options] },
        { size: options.runIds.length, signal },
      ) as ReturnType<LocalEngine["draw"]>,
    async read(promptIds, answers, { signal, ...options }) {
      const job: ModelJob = { kind: "read", job: [promptIds, answers, options] };
      const traced = (await threads.submit(job, { signal })) as TracedAnswers;
      return { ...traced, [Symbol.dispose]: () => returnStates(traced.answers) };
    },
    generate: (prompt, { signal, ...options }) =>
      threads.stream(
        { kind: "generate", job: [prompt, options] },
        { size: options.runIds?.length ?? 1, keys: beginningsOf(prompt), signal },
      ) as ReturnType<LocalEngine["generate"]>,
    readAnswer: (prompt, text, { signal, ...options }) =>
      threads.stream(
        { kind: "read-answer", job: [prompt, text, options] },
        { size: 1, signal },
      ) as ReturnType<LocalEngine["readAnswer"]>,
    usage: async () => addUsage((await threads.askAll({ kind: "usage" })) as BatchUsage[]),
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  };
}

const NO_USAGE: BatchUsage = { passes: 0, rows: 0, room: 0, short: 0 };

/** @param before what was used before, and does not count */
const addUsage = (all: readonly BatchUsage[], { passes, rows, room, short } = NO_USAGE): BatchUsage =>
  all.reduce(
    (sum, each) => ({
      passes: sum.passes + each.passes,
      rows: sum.rows + each.rows,
      room: sum.room + each.room,
      short: sum.short + each.short,
    }),
    { passes: -passes, rows: -rows, room: -room, short: -short },
  );
