import { ESTIMATE_NEEDS } from "../entropy/measures/estimate.ts";
import type { EstimateCost } from "../entropy/measures/estimate-registry.ts";
import type { StepEvent } from "../study/step.ts";

/** The estimates that were computed as a table: how many questions have each, why not all, and what it took. */
export function formatEstimates({
  questions,
  costs,
}: Pick<Extract<StepEvent, { kind: "estimates" }>, "questions" | "costs">): string {
  const rows = costs.map((cost) => [
    cost.name,
    `${cost.computed} of ${questions}`,
    `${cost.durationMs.toFixed(1)} ms`,
    cost.nliPairs === 0 ? "" : String(cost.nliPairs),
    describeMissing(cost),
  ]);
  const table = [["estimate", "questions", "time", "NLI pairs", "missing"], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map((row) =>
      row
        .map((cell, column) => pad(cell, widths[column]!, column))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Numbers to the right, words to the left. */
const pad = (cell: string, width: number, column: number): string =>
  column === 0 || column === 4 ? cell.padEnd(width) : cell.padStart(width);

const describeMissing = ({ missing }: EstimateCost): string =>
  Object.entries(missing)
    .map(([need, count]) =>
      need === "finite"
        ? `infinite or undefined in ${count}`
        : `${ESTIMATE_NEEDS[need as keyof typeof ESTIMATE_NEEDS]}, in ${count}`,
    )
    .join("; ");
