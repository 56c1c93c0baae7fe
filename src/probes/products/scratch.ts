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
}

export function createScratch(): Scratch {
  const arrays = new Map<string, Float32Array>();
  return {
    take(name, size) {
      let array = arrays.get(name);
      if (array === undefined || array.length < size) {
        array = new Float32Array(size);
        arrays.set(name, array);
      }
      return array.subarray(0, size);
    },
  };
}
