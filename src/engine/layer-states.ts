/**
 * Hidden states of N tokens, layer by layer, as a pass computes them and a file stores them: per layer [N, D]. Gigabytes of
 * states go from one to the other without being copied to another layout in between.
 */
export type LayerStates = readonly Float32Array[];

/**
 * The state of one token.
 * @param hiddenSize D
 * @returns [layers, D], a copy
 */
export function stateAt(states: LayerStates, token: number, hiddenSize: number): Float32Array {
  const state = new Float32Array(states.length * hiddenSize);
  for (const [l, ofLayer] of states.entries())
    state.set(ofLayer.subarray(token * hiddenSize, (token + 1) * hiddenSize), l * hiddenSize);
  return state;
}

/** @returns [N, layers, D], a copy */
export function joinTokens(states: LayerStates, hiddenSize: number): Float32Array {
  const width = states.length * hiddenSize;
  const count = (states[0]?.length ?? 0) / hiddenSize;
  const joined = new Float32Array(count * width);
  for (let token = 0; token < count; token++) joined.set(stateAt(states, token, hiddenSize), token * width);
  return joined;
}

/**
 * States of single tokens, side by side.
 * @param tokens each [layers, D]
 */
export function stackStates(tokens: readonly Float32Array[], layerCount: number): LayerStates {
  const hiddenSize = (tokens[0]?.length ?? 0) / layerCount;
  return Array.from({ length: layerCount }, (_, l) => {
    const ofLayer = new Float32Array(tokens.length * hiddenSize);
    for (const [i, state] of tokens.entries())
      ofLayer.set(state.subarray(l * hiddenSize, (l + 1) * hiddenSize), i * hiddenSize);
    return ofLayer;
  });
}

/** Memory that states were in, for those of later passes of this thread. */
const spare: ArrayBuffer[] = [];
/** One is being filled, one read, and one on its way back. */
const MOST_SPARE = 3;
/** Smaller pieces cost the system little. */
const WORTH_KEEPING_BYTES = 1 << 20;
/** Memory that will be kept is larger than its first pass needs, so that it suffices for passes of more tokens, too. */
const SLACK = 1.25;

/**
 * Room for the states of a pass, in one piece of memory. Its content is undefined: it may have been released after another pass.
 * Fresh memory costs a page fault for every 4 KB, and makes the garbage collector look through the whole heap more often.
 * @returns per layer [N, D]
 */
export function roomForStates(layerCount: number, tokens: number, hiddenSize: number): LayerStates {
  const length = tokens * hiddenSize;
  const layerBytes = length * Float32Array.BYTES_PER_ELEMENT;
  const memory = takeMemory(layerCount * layerBytes);
  return Array.from({ length: layerCount }, (_, l) => new Float32Array(memory, l * layerBytes, length));
}

function takeMemory(bytes: number): ArrayBuffer {
  if (bytes < WORTH_KEEPING_BYTES) return new ArrayBuffer(bytes);
  const found = spare.findIndex(({ byteLength }) => byteLength >= bytes);
  return found < 0 ? new ArrayBuffer(Math.ceil(bytes * SLACK)) : (spare.splice(found, 1)[0] as ArrayBuffer);
}

/** Keeps memory that nothing points into for later passes of this thread. */
export function keepMemory(memory: readonly ArrayBuffer[]): void {
  spare.push(...memory.filter(({ byteLength }) => byteLength >= WORTH_KEEPING_BYTES));
  // the smallest in front, which is taken first where it suffices and dropped first
  spare.sort((a, b) => a.byteLength - b.byteLength);
  spare.splice(0, spare.length - MOST_SPARE);
}

/** Keeps the memory of states for later passes of this thread. Their arrays are empty then. */
export function releaseStates(arrays: readonly Float32Array[]): void {
  const memory = memoryOf(arrays);
  keepMemory(structuredClone(memory, { transfer: memory }));
}

/** The memory of arrays, of which several may share one. */
export const memoryOf = (arrays: readonly Float32Array[]): ArrayBuffer[] => [
  ...new Set(arrays.map(({ buffer }) => buffer as ArrayBuffer)),
];
