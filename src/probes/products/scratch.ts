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

export const createScratch = (): Scratch => ({
  take: keepArrays((size) => new Float32Array(size)),
  takeDoubles: keepArrays((size) => new Float64Array(size)),
});

function keepArrays<A extends Float32Array | Float64Array>(
  make: (size: number) => A,
): (name: string, size: number) => A {
  const arrays = new Map<string, A>();
  return (name, size) => {
    let array = arrays.get(name);
    if (array === undefined || array.length < size) {
      array = make(size);
      arrays.set(name, array);
    }
    return array.subarray(0, size) as A;
  };
}
