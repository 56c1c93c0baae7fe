import { workerData } from "node:worker_threads";
import { loadModel } from "../../checkpoint/load-model.ts";
import { serveJobs } from "../../engine/runtime/worker-threads-node.ts";
import { type ModelJob, runHere, type WorkerSetup } from "./local-engine.ts";

// The entry point of a worker thread: loads the model, then does the jobs that its parent sends.

const { path, options } = workerData as WorkerSetup;
const engine = loadModel(path, options).then(runHere);
engine.catch(() => undefined); // a model that does not load fails each job with its reason

serveJobs<ModelJob>(async ({ kind, job }, signal) => {
  const { draw, read } = await engine;
  return kind === "draw" ? draw(job[0], { ...job[1], signal }) : read(job[0], job[1], { ...job[2], signal });
});
