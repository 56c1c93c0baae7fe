import { ortNode } from "../../engine/runtime/ort-node.ts";
import { serveJobs } from "../../engine/runtime/worker-threads-node.ts";
import { readFeatures } from "../../states/feature-source.ts";
import { createMatrixMultiplier } from "../products/matrix-multiplier.ts";
import { createScratch } from "../products/scratch.ts";
import { type ProbeJob, runProbeJob } from "./probe-job.ts";

// The entry point of a worker thread: runs one probe job at a time.

const multiplier = createMatrixMultiplier(ortNode);
const scratch = createScratch();

serveJobs<ProbeJob>(async (job, signal) =>
  runProbeJob(job, { multiplier: await multiplier, readFeatures, scratch }, signal),
);
