import { workerData } from "node:worker_threads";
import { loadModel } from "../../checkpoint/load-model.ts";
import { serveJobs } from "../../engine/runtime/worker-threads-node.ts";
import { type ModelJob, runHere, type WorkerSetup } from "./local-engine.ts";

// The entry point of a worker thread: loads the model, then does the jobs that its parent sends.

const { path, options } = workerData as WorkerSetup;
const engine = loadModel(path, options).then(runHere);
engine.catch(() => undefined); // a model that does not load fails each job with its reason

serveJobs<ModelJob>(async (asked, signal) => {
  const { draw, read, usage } = await engine;
  if (asked.kind === "usage") return usage();
  if (asked.kind === "draw") return draw(asked.job[0], { ...asked.job[1], signal });
  return read(asked.job[0], asked.job[1], { ...asked.job[2], signal });
});
