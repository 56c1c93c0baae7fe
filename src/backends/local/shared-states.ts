import type { LayerStates } from "../../engine/layer-states.ts";
import { giveBack } from "../../engine/runtime/worker-threads-node.ts";

// How states cross from a worker to its parent: in shared memory, which the parent gives back. Memory that is transferred instead
// counts as new in each thread, so that every twenty megabytes or so both look through all their objects for something to free.

/** Pieces of shared memory that are used again and again. */
interface SharedMemory {
  /** A piece of at least so many bytes. Its content is undefined: it may be that of an earlier use. */
  take(bytes: number): SharedArrayBuffer;
  /** Keeps a piece that nothing will read or write any more. */
  keep(piece: SharedArrayBuffer): void;
}

/** One is being filled, one read, and one on its way back. */
const MOST_SPARE = 3;
/** Pieces are larger than their first use needs, so that they suffice for somewhat more, too. */
const SLACK = 1.25;

export function createSharedMemory(): SharedMemory {
  const spare: SharedArrayBuffer[] = [];
  return {
    take(bytes) {
      const found = spare.findIndex(({ byteLength }) => byteLength >= bytes);
      if (found < 0) return new SharedArrayBuffer(Math.ceil(SLACK * bytes));
      return spare.splice(found, 1)[0] as SharedArrayBuffer;
    },
    keep(piece) {
      spare.push(piece);
      // the smallest in front, which is taken first where it suffices and dropped first
      spare.sort((a, b) => a.byteLength - b.byteLength);
      spare.splice(0, spare.length - MOST_SPARE);
    },
  };
}

/** @returns a copy of the states in one piece of memory, and the piece */
export function shareStates(
  states: readonly LayerStates[],
  shared: SharedMemory,
): { readonly copy: readonly LayerStates[]; readonly memory: SharedArrayBuffer } {
  const memory = shared.take(states.flat().reduce((sum, { byteLength }) => sum + byteLength, 0));
  let end = 0;
  const place = (source: Float32Array): Float32Array => {
    const target = new Float32Array(memory, end, source.length);
    target.set(source);
    end += source.byteLength;
    return target;
  };
  return { copy: states.map((layers) => layers.map(place)), memory };
}

/** Gives the memory of states back to the worker that shared them, and empties their lists: nobody finds later states in them. */
export function returnStates(states: readonly LayerStates[]): void {
  for (const memory of new Set(states.flat().map(({ buffer }) => buffer)))
    giveBack(memory as SharedArrayBuffer);
  for (const layers of states) (layers as Float32Array[]).length = 0;
}
