/** Halvings of the bracket: enough for double precision. */
const HALVINGS = 200;

/**
 * Student's t distribution function for a whole number of degrees of freedom.
 * @param degrees integer >= 1
 * @returns in [0, 1]
 * @throws RangeError for other degrees
 * @see Abramowitz and Stegun 26.7.3 and 26.7.4
 */
export function studentCdf(t: number, degrees: number): number {
  if (!Number.isInteger(degrees) || degrees < 1) throw new RangeError(`Got ${degrees} degrees of freedom.`);
  const angle = Math.atan(t / Math.sqrt(degrees));
  const square = Math.cos(angle) ** 2;
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? Math.cos(angle) : 1;
  let series = degrees === 1 ? 0 : term;
  for (let k = isOdd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= (square * (k - 1)) / k;
    series += term;
  }
  const within = isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * series) : Math.sin(angle) * series;
  return (1 + within) / 2;
}

/**
 * Inverse of {@link studentCdf}.
 * @param probability in (0, 1)
 * @throws RangeError outside it
 */
export function studentQuantile(probability: number, degrees: number): number {
  if (!(probability > 0 && probability < 1))
    throw new RangeError(`Probability ${probability} is outside (0, 1).`);
  if (probability < 0.5) return -studentQuantile(1 - probability, degrees);
  let low = 0;
  let high = 1;
  while (studentCdf(high, degrees) < probability && high < Number.MAX_VALUE / 2) high *= 2;
  for (let i = 0; i < HALVINGS && low < high; i++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (studentCdf(middle, degrees) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
