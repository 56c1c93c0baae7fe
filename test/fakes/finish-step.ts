import type { StepEvent, StepResult } from "../../src/study/step.ts";

/** Runs a step to its end. @returns its events and its result */
export async function finishStep(
  step: AsyncGenerator<StepEvent, StepResult>,
): Promise<{ readonly events: readonly StepEvent[]; readonly result: StepResult }> {
  const events: StepEvent[] = [];
  for (;;) {
    const next = await step.next();
    if (next.done) return { events, result: next.value };
    events.push(next.value);
  }
}
