import type { OnnxGraph } from "../../engine/graph/graph.ts";
import { memorySource } from "../../engine/graph/weights.ts";
import type { Runtime, Session } from "../../engine/runtime/runtime.ts";

interface ProductSessionOptions {
  readonly threads: number;
  /** Whether what its steps need between them is kept from call to call. */
  readonly keepsMemory?: boolean;
  /** Constants of the graph, by the file that it has them in; they are copied. */
  readonly given?: Readonly<Record<string, Float32Array>>;
}

/** A session of one small product, among others that take turns with it. */
export const openProductSession = (
  runtime: Runtime,
  graph: OnnxGraph,
  { threads, keepsMemory = false, given = {} }: ProductSessionOptions,
): Promise<Session> =>
  runtime.createSession(
    {
      graph: graph.serialize(),
      sources: Object.entries(given).map(([name, { buffer, byteOffset, byteLength }]) =>
        memorySource(name, new Uint8Array(buffer, byteOffset, byteLength)),
      ),
    },
    {
      threads,
      // The graphs are as they should be; looking for what to improve takes as long as packing small matrices.
      optimise: false,
      // Shapes change with every call, so memory plans would only accumulate.
      memory: keepsMemory ? "kept" : "returned",
      // The sessions alternate; a spinning pool of one steals the cores of the other (twice as slow).
      spins: false,
    },
  );
