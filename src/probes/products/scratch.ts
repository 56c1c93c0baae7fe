/**
 * Large arrays that are used again by one piece of work after the other: touching new memory takes about as long as
 * computing what is written there.
 */
export interface Scratch {
  /**
   * @param name what it is for: a second array of that name takes the place of the first
   * @returns an array of that size, with whatever was left in it
   */
  take(name: string, size: number): Float32Array;
  /** The same in float64. */
  takeDoubles(name: string, size: number): Float64Array;
}

export function createScratch(): Scratch {
  const arrays = new Map<string, Float32Array>();
  const doubles = new Map<string, Float64Array>();
  return {
    take(name, size) {
      const array = largeEnough(arrays.get(name), size) ?? new Float32Array(size);
      arrays.set(name, array);
      return array.subarray(0, size);
    },
    takeDoubles(name, size) {
      const array = largeEnough(doubles.get(name), size) ?? new Float64Array(size);
      doubles.set(name, array);
      return array.subarray(0, size);
    },
  };
}

const largeEnough = <A extends ArrayLike<number>>(array: A | undefined, size: number): A | null =>
  array !== undefined && array.length >= size ? array : null;
