import type { FitProbesEvent, FittedProbes } from "../../probes/sweep/sweep-probes.ts";
import type { StepEvent } from "../step.ts";
import type { StepName } from "../workspace.ts";

/**
 * Renders a fit as a step's progress.
 * @param others units of work besides that the step counts itself
 * @returns the fit, and the total that its progress counts up to
 */
export async function* reportFit(
  fitting: AsyncGenerator<FitProbesEvent, FittedProbes>,
  about: { readonly step: StepName; readonly part: string },
  others: number,
): AsyncGenerator<StepEvent, { readonly fitted: FittedProbes; readonly total: number }> {
  let total = 0;
  try {
    for (;;) {
      const step = await fitting.next();
      if (step.done) return { fitted: step.value, total };
      const event = step.value;
      total = event.total + others;
      if (event.kind === "started") yield { kind: "started", ...about, unit: "fit", done: 0, total };
      else yield { kind: "advanced", ...about, done: event.done, total, detail: describeEvent(event) };
    }
  } finally {
    await fitting.return({} as FittedProbes); // ends its threads when nobody asks for more
  }
}

function describeEvent(event: Exclude<FitProbesEvent, { readonly kind: "started" }>): string {
  switch (event.kind) {
    case "scored":
      return `layer ${event.score.layer} at ${event.score.position}`;
    case "fitted":
      return `${event.target} probe`;
    case "permuted":
      return `permutations of ${event.target}`;
  }
}
