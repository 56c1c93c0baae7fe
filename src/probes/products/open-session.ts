import { InferenceSession } from "onnxruntime-node";
import type { OnnxGraph } from "../../engine/graph/graph.ts";

export interface ProductSessionOptions {
  readonly threads: number;
  /** Whether what its steps need between them is kept from call to call. */
  readonly keepsMemory?: boolean;
  /** Constants of the graph, by the file that it has them in; they are copied. */
  readonly given?: Readonly<Record<string, Float32Array>>;
}

/** A session of one small product, among others that take turns with it. */
export async function openProductSession(
  graph: OnnxGraph,
  { threads, keepsMemory = false, given = {} }: ProductSessionOptions,
): Promise<InferenceSession> {
  return InferenceSession.create(graph.serialize(), {
    // The graphs are as they should be; looking for what to improve takes as long as packing small matrices.
    graphOptimizationLevel: "disabled",
    externalData: Object.entries(given).map(([path, { buffer, byteOffset, byteLength }]) => ({
      path,
      data: new Uint8Array(buffer, byteOffset, byteLength),
    })),
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // Shapes change with every call, so memory plans would only accumulate.
    enableMemPattern: false,
    enableCpuMemArena: keepsMemory,
    // The sessions alternate; a spinning pool of one steals the cores of the other (twice as slow).
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  });
}
