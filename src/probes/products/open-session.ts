import { InferenceSession } from "onnxruntime-node";
import type { OnnxGraph } from "../../onnx/graph.ts";

/**
 * A session of one small product, among others that take turns with it.
 * @param keepsMemory whether what its steps need between them is kept from call to call
 */
export async function openProductSession(
  graph: OnnxGraph,
  threads: number,
  keepsMemory: boolean,
): Promise<InferenceSession> {
  return InferenceSession.create(graph.serialize(), {
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
