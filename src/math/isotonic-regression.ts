/** A non-decreasing piecewise linear function. */
interface IsotonicFit {
  /** Strictly ascending. */
  readonly x: readonly number[];
  /** Non-decreasing. */
  readonly y: readonly number[];
}

/**
 * Non-decreasing least-squares fit by pooling adjacent violators. Rows of equal x share one value. Of each constant
 * stretch only the two ends are kept, as scikit-learn's `IsotonicRegression` does.
 * @param x [N] finite
 * @param y [N]
 * @throws RangeError if N = 0 or the lengths differ
 * @see Barlow et al. 1972, "Statistical inference under order restrictions"
 */
export function isotonicRegression(x: ArrayLike<number>, y: ArrayLike<number>): IsotonicFit {
  if (x.length === 0 || x.length !== y.length) throw new RangeError(`Got ${x.length} x for ${y.length} y.`);
  const blocks: { low: number; high: number; sum: number; count: number }[] = [];
  for (const { at, sum, count } of groupEqual(x, y)) {
    blocks.push({ low: at, high: at, sum, count });
    for (;;) {
      const last = blocks.at(-1)!;
      const before = blocks.at(-2);
      if (before === undefined || before.sum * last.count < last.sum * before.count) break;
      blocks.splice(-2, 2, {
        low: before.low,
        high: last.high,
        sum: before.sum + last.sum,
        count: before.count + last.count,
      });
    }
  }
  const ends = blocks.flatMap(({ low, high, sum, count }) =>
    (low === high ? [low] : [low, high]).map((at) => ({ at, value: sum / count })),
  );
  return { x: ends.map(({ at }) => at), y: ends.map(({ value }) => value) };
}

/** The distinct x, ascending, each with the sum and number of its y. */
function groupEqual(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
): { readonly at: number; sum: number; count: number }[] {
  const order = Array.from({ length: x.length }, (_, row) => row).sort((a, b) => x[a]! - x[b]!);
  const groups: { readonly at: number; sum: number; count: number }[] = [];
  for (const row of order) {
    const last = groups.at(-1);
    if (last !== undefined && last.at === x[row]) {
      last.sum += y[row]!;
      last.count++;
    } else groups.push({ at: x[row]!, sum: y[row]!, count: 1 });
  }
  return groups;
}
