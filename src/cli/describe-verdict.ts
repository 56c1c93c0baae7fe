import type { TraceVerdict } from "../study/tracing/verify-trace.ts";
import { formatSignificant } from "../text/format-numbers.ts";
import type { Paint } from "./terminal.ts";

/** What was found about a trace, a check a line, with examples of what failed. */
export function describeVerdict(verdict: TraceVerdict, paint: Paint): string {
  const { part, passed, rows, layers, checks, largest_difference } = verdict;
  const counts = Object.entries(rows).map(([position, count]) => `${count} ${position}`);
  return [
    `${paint("bold", part)}: ${counts.join(", ")}; layers ${layers[0]} to ${layers.at(-1)}`,
    ...checks.flatMap(({ name, claim, checked, failed, examples, skipped }) => [
      `  ${mark(failed, skipped, paint)} ${name.padEnd(NAME_WIDTH)}${describeCounts(checked, failed, skipped)}${claim}`,
      ...examples.map((example) => `       ${paint("gray", example)}`),
    ]),
    ...(largest_difference === null
      ? []
      : [
          `  largest difference of the second reading: ${formatSignificant(largest_difference, 2)} of a vector's scale`,
        ]),
    `  ${passed ? paint("green", "passed") : paint("red", "failed")}`,
  ].join("\n");
}

const NAME_WIDTH = 11;
const COUNT_WIDTH = 18;

const mark = (failed: number, skipped: string | null, paint: Paint): string =>
  skipped !== null ? paint("yellow", "--") : failed > 0 ? paint("red", "no") : paint("green", "ok");

const describeCounts = (checked: number, failed: number, skipped: string | null): string =>
  skipped === null ? `${checked - failed} of ${checked}`.padEnd(COUNT_WIDTH) : `not checked: ${skipped}; `;
