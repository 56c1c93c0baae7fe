import { workerData } from "node:worker_threads";
import { loadModel } from "../../checkpoint/load-model.ts";
import { lend, serveJobs } from "../../engine/runtime/worker-threads-node.ts";
import type { TracedAnswers } from "../../states/state-backend.ts";
import type { LiveEvent } from "../live-model.ts";
import { type ModelJob, runHere, type WorkerSetup } from "./local-engine.ts";
import { createSharedMemory, shareStates } from "./shared-states.ts";

// The entry point of a worker thread: loads the model, then does the jobs that its parent sends.

type JobOf<Kind extends ModelJob["kind"]> = Extract<ModelJob, { readonly kind: Kind }>;

const { path, options } = workerData as WorkerSetup;
const engine = loadModel(path, options).then(runHere);
engine.catch(() => undefined); // a model that does not load fails each job with its reason

const shared = createSharedMemory();

serveJobs<ModelJob>((request, signal) => {
  if (request.kind === "draw")
    return engine.then(({ draw }) => draw(request.job[0], { ...request.job[1], signal }));
  if (request.kind === "read") return read(request, signal);
  if (request.kind === "usage") return engine.then(({ usage }) => usage());
  return stream(request, signal);
}, shared.keep);

async function read(
  { job: [promptIds, answers, options] }: JobOf<"read">,
  signal: AbortSignal,
): Promise<TracedAnswers> {
  const { beforeGeneration, answers: states } = await (await engine).read(promptIds, answers, {
    ...options,
    signal,
  });
  const { copy, memory } = shareStates(states, shared);
  return lend({ beforeGeneration, answers: copy }, memory);
}

async function* stream(
  request: JobOf<"generate" | "read-answer">,
  signal: AbortSignal,
): AsyncGenerator<LiveEvent, unknown> {
  const { generate, readAnswer } = await engine;
  return request.kind === "generate"
    ? yield* generate(request.job[0], { ...request.job[1], signal })
    : yield* readAnswer(request.job[0], request.job[1], { ...request.job[2], signal });
}
