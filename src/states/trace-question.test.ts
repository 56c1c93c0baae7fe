import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { MODEL_ENDS, REASONED_RUN } from "../../test/fakes/reasoned-run.ts";
import { openSampledStates } from "./sampled-states.ts";
import type { StateReader } from "./state-backend.ts";
import { planTrace } from "./trace-plan.ts";
import { traceQuestion } from "./trace-question.ts";

it("disposes of a backend's states once they are written, and not before", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sep-trace-question-"));
  const plan = planTrace([REASONED_RUN], {
    positions: ["before-generation", "last-token"],
    endTokenIds: MODEL_ENDS.endTokenIds,
    tokenizer: MODEL_ENDS,
  });
  const steps: string[] = [];
  const reader: StateReader = {
    concurrency: 1,
    read: async () => ({
      beforeGeneration: Float32Array.of(1, 2),
      answers: [[Float32Array.of(3), Float32Array.of(4)]],
      [Symbol.dispose]: () => void steps.push("disposed"),
    }),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const writer = {
    write: async (rows: readonly unknown[]) => {
      if (rows.length === 0) return; // states that were sampled, of which there are none
      await new Promise((resolve) => setTimeout(resolve, 5));
      steps.push(`wrote ${rows.length}`);
    },
    finish: async () => "",
    [Symbol.asyncDispose]: async () => undefined,
  };
  await using sampled = await openSampledStates(join(folder, "states"), {}, 2);
  const { signal } = new AbortController();
  for (const question of plan.questions)
    await traceQuestion(question, writer, { reader, sampled, layers: [0, 1], signal });
  expect(steps).toEqual(["wrote 2", "disposed"]);
  await rm(folder, { recursive: true });
});
