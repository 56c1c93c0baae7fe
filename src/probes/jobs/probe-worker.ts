import { serveJobs } from "../../onnx/worker-threads.ts";
import { createMatrixMultiplier } from "../matrix-multiplier.ts";
import { createWorkspace } from "../workspace.ts";
import { type ProbeJob, runProbeJob } from "./probe-job.ts";

// The entry point of a worker thread: fits probes, one job at a time.

const multiplier = createMatrixMultiplier();
const workspace = createWorkspace();

serveJobs<ProbeJob>(async (job, signal) => runProbeJob(job, await multiplier, workspace, signal));
