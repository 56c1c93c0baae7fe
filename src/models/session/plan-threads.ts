/** How a machine's processors are used: so many copies of the model, each with so many threads. */
export interface ThreadPlan {
  readonly workers: number;
  readonly threadsPerWorker: number;
}

/** The rest is for keys and values, activations, the operating system and everybody else. */
const SHARE_OF_MEMORY = 0.25;

/**
 * Copies of a model that work on different questions use processors better than one copy whose every operator is
 * split among them, since much of a decoding step is too small to split. Memory bounds the copies.
 * @param modelBytes what one loaded copy takes
 * @param threads processors to use
 * @param memoryBytes of the machine
 */
export function planThreads(modelBytes: number, threads: number, memoryBytes: number): ThreadPlan {
  const affordable = Math.floor((SHARE_OF_MEMORY * memoryBytes) / modelBytes);
  const workers = Math.max(1, Math.min(threads, affordable));
  return { workers, threadsPerWorker: Math.floor(threads / workers) };
}
