/** Gives an array of some size its memory, whatever is in it. */
export type Allocate = (size: number) => Float32Array;

/** Memory of the array's own. */
export const allocateNew: Allocate = (size) => new Float32Array(size);
