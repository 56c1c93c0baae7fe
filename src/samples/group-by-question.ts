/** Rows by their question, questions in the order in which they first appear, rows in their own order. */
export function groupByQuestion<T extends { readonly question_id: string }>(
  rows: readonly T[],
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.question_id);
    if (group === undefined) groups.set(row.question_id, [row]);
    else group.push(row);
  }
  return groups;
}

/** One text for a run of a question, for maps. */
export const runKey = (questionId: string, runId: number): string => JSON.stringify([questionId, runId]);
