import type { Question } from "../../samples/question.ts";
import type { RunRecord } from "../../samples/run-record.ts";

/**
 * Says which answers a question still lacks.
 * @param there the answers so far, in any order
 * @returns run ids; none when the question is finished
 */
export type NextRunIds = (
  question: Question,
  there: readonly RunRecord[],
  signal?: AbortSignal,
) => Promise<readonly number[]>;

/** All of `runs` answers. */
export function allRunIds(runs: number): NextRunIds {
  return async (_question, there) => {
    const known = new Set(there.map((run) => run.run_id));
    return Array.from({ length: runs }, (_, run) => run).filter((run) => !known.has(run));
  };
}

/**
 * Draws answers to a question until it lacks none.
 * @param sample draws and records the answers with these run ids
 * @returns what was drawn
 */
export async function sampleQuestion(
  sample: (
    question: Question,
    runIds: readonly number[],
    signal?: AbortSignal,
  ) => Promise<readonly RunRecord[]>,
  question: Question,
  there: readonly RunRecord[],
  nextRunIds: NextRunIds,
  signal?: AbortSignal,
): Promise<readonly RunRecord[]> {
  const drawn: RunRecord[] = [];
  for (;;) {
    const runIds = await nextRunIds(question, [...there, ...drawn], signal);
    if (runIds.length === 0) return drawn;
    drawn.push(...(await sample(question, runIds, signal)));
  }
}
