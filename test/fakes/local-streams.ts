import { sampleSeedOf } from "../../src/backends/vllm/vllm-answers.ts";
import type { FakeStream } from "./fake-vllm-completions.ts";

/**
 * The random streams that the local engine draws some questions' answers from, by the seeds that a server is given for
 * them: with it the fake server draws the local engine's own answers.
 */
export function createLocalStreams(
  seed: number,
  questionIds: readonly string[],
  runs: number,
): (sampleSeed: number) => FakeStream | null {
  const streams = new Map<number, FakeStream>();
  for (const streamKey of questionIds)
    for (let runId = 0; runId < runs; runId++)
      streams.set(sampleSeedOf(seed, streamKey, runId), { seed, streamKey, runId });
  return (sampleSeed) => streams.get(sampleSeed) ?? null;
}
