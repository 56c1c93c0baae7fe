/**
 * The name that was meant: one that begins like what was typed (`evaluate` for `eval`), else the nearest by edit
 * distance (insert, delete, replace, swap of neighbours).
 * @returns null when nothing is near: more than a third of the letters would have to change
 */
export function suggestName(typed: string, names: readonly string[]): string | null {
  const beginning = names.find(
    (name) => typed.length >= 3 && (name.startsWith(typed) || typed.startsWith(name)),
  );
  if (beginning !== undefined) return beginning;
  let nearest: string | null = null;
  let nearestDistance = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const distance = editDistance(typed.toLowerCase(), name);
    if (distance < nearestDistance) [nearest, nearestDistance] = [name, distance];
  }
  const bound = Math.max(1, Math.floor(Math.max(typed.length, nearest?.length ?? 0) / 3));
  return nearestDistance <= bound ? nearest : null;
}

/** Optimal string alignment distance, by dynamic programming over three rows. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replaced, previous[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, beforeLast[j - 2]! + 1);
      row.push(best);
    }
    beforeLast = previous;
    previous = row;
  }
  return previous[b.length]!;
}
