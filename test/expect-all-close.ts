import { expect } from "vitest";

/**
 * Fails unless two arrays have one length and differ nowhere by more than `tolerance`; says where they differ most.
 * @param tolerance absolute; the caller states its cause
 */
export function expectAllClose(got: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(got.length, "length").toBe(expected.length);
  let worst = 0;
  let place = 0;
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs((got[i] as number) - (expected[i] as number));
    if (!(difference <= worst)) {
      worst = difference;
      place = i;
    }
  }
  if (!(worst <= tolerance)) {
    expect.fail(
      `largest error ${worst} at [${place}]: got ${got[place]}, expected ${expected[place]}, tolerance ${tolerance}`,
    );
  }
}

/** The largest magnitude of an array: what an absolute tolerance is taken relative to. */
export function scaleOf(values: ArrayLike<number>): number {
  let scale = 0;
  for (let i = 0; i < values.length; i++) scale = Math.max(scale, Math.abs(values[i] as number));
  return scale;
}
