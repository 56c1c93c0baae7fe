const SQRT_2PI = Math.sqrt(2 * Math.PI);
/** Below this the power series converges fast; above it the continued fraction does. */
const SERIES_LIMIT = 3;
/** The continued fraction has converged to double precision at this depth for every |x| >= SERIES_LIMIT. */
const FRACTION_DEPTH = 120;

/**
 * Standard normal distribution function P(Z <= x), to about 1e-15 absolute, and relative in the lower tail.
 * @returns in [0, 1]; 0 and 1 at -Infinity and Infinity
 * @see Abramowitz and Stegun 26.2.11 (series) and 26.2.14 (continued fraction)
 */
export function normalCdf(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (Math.abs(x) <= SERIES_LIMIT) return 0.5 + seriesFromZero(x);
  const tail = upperTail(Math.abs(x));
  return x < 0 ? tail : 1 - tail;
}

/**
 * Inverse of {@link normalCdf}.
 * @param probability in [0, 1]; 0 and 1 give -Infinity and Infinity
 * @throws RangeError outside [0, 1]
 * @see Acklam's rational approximation (relative error 1.15e-9), then one Halley step
 */
export function normalQuantile(probability: number): number {
  if (!(probability >= 0 && probability <= 1))
    throw new RangeError(`Probability ${probability} is outside [0, 1].`);
  if (probability === 0) return Number.NEGATIVE_INFINITY;
  if (probability === 1) return Number.POSITIVE_INFINITY;
  if (probability > 0.5) return -normalQuantile(1 - probability);
  const start = acklam(probability);
  const step = ((normalCdf(start) - probability) * SQRT_2PI) / Math.exp((-start * start) / 2);
  return start - step / (1 + (start * step) / 2);
}

const density = (x: number): number => Math.exp((-x * x) / 2) / SQRT_2PI;

function seriesFromZero(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > Math.abs(sum) * 1e-17; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return density(x) * sum;
}

function upperTail(x: number): number {
  if (x === Number.POSITIVE_INFINITY) return 0;
  let fraction = x;
  for (let k = FRACTION_DEPTH; k >= 1; k--) fraction = x + k / fraction;
  return density(x) / fraction;
}

/** Acklam's approximation for probabilities in (0, 0.5]. */
function acklam(probability: number): number {
  if (probability < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(probability));
    const top = [
      -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
      2.938163982698783,
    ];
    const bottom = [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
    return polynomial(top, q) / polynomial(bottom, q);
  }
  const q = probability - 0.5;
  const top = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
    2.506628277459239,
  ];
  const bottom = [
    -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1,
  ];
  return (q * polynomial(top, q * q)) / polynomial(bottom, q * q);
}

/** Coefficients from the highest power down. */
const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduce((value, coefficient) => value * x + coefficient, 0);

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
