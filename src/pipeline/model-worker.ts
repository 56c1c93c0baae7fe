import { parentPort, workerData } from "node:worker_threads";
import { loadModel } from "../models/load-model.ts";
import { runHere } from "./local-engine.ts";
import type { WorkerRequest, WorkerResponse, WorkerSetup } from "./model-workers.ts";
import { packError } from "./worker-error.ts";

// The entry point of a worker thread: loads the model, then does the jobs that its parent sends.

const port = parentPort;
if (port === null) throw new Error("model-worker runs as a worker thread only.");
const { path, options } = workerData as WorkerSetup;
const engine = loadModel(path, options).then(runHere);
engine.catch(() => undefined); // a model that does not load fails each job with its reason
const aborts = new Map<number, AbortController>();

port.on("message", async (request: WorkerRequest) => {
  if (request.kind === "abort") {
    aborts.get(request.id)?.abort();
    return;
  }
  const abort = new AbortController();
  aborts.set(request.id, abort);
  try {
    const { sample, trace } = await engine;
    const result =
      request.kind === "sample"
        ? await sample(request.job[0], request.job[1], request.job[2], abort.signal)
        : await trace(request.job[0], request.job[1], request.job[2], abort.signal);
    port.postMessage({ id: request.id, kind: "done", result } satisfies WorkerResponse);
  } catch (error) {
    port.postMessage({ id: request.id, kind: "failed", error: packError(error) } satisfies WorkerResponse);
  } finally {
    aborts.delete(request.id);
  }
});
