import type { InferenceSession, TensorConstructor } from "onnxruntime-node";
import type { ByteSource } from "../graph/weights.ts";
import type { Session, SessionInput, Tensor, Tensors } from "./runtime.ts";

/** What builds of onnxruntime differ in. */
interface OrtBuild {
  readonly Tensor: TensorConstructor;
  /** Whether a run writes into arrays that it is given for its outputs. */
  readonly writesInPlace: boolean;
}

/** The bytes that a graph's constants point into, by the names that it has for them. */
export const readExternalData = (
  sources: readonly ByteSource[],
): Promise<{ path: string; data: Uint8Array }[]> =>
  Promise.all(sources.map(async (source) => ({ path: source.name, data: await source.readAll() })));

/** A session of any build of onnxruntime, as the port has it. */
export function wrapSession(session: InferenceSession, { Tensor, writesInPlace }: OrtBuild): Session {
  const toOrt = (tensors: Tensors): InferenceSession.FeedsType =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { type, data, dims }]) => [name, new Tensor(type, data, dims)]),
    );
  const run = async (feeds: Tensors, outputs?: readonly string[]): Promise<Tensors> =>
    fromOrt(await (outputs === undefined ? session.run(toOrt(feeds)) : session.run(toOrt(feeds), outputs)));
  return {
    inputs: session.inputMetadata.map(describeInput),
    outputNames: session.outputNames,
    async run(feeds, outputs) {
      if (outputs === undefined || isNames(outputs)) return run(feeds, outputs);
      if (writesInPlace) return fromOrt(await session.run(toOrt(feeds), toOrt(outputs)));
      const computed = await run(feeds, Object.keys(outputs));
      for (const [name, { data }] of Object.entries(outputs)) {
        (data as Float32Array).set((computed[name] as Tensor).data as Float32Array);
      }
      return outputs;
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}

/** onnxruntime's tensors have what the port's have; graphs of ours give no other types. */
const fromOrt = (tensors: InferenceSession.ReturnType): Tensors => tensors as unknown as Tensors;

const isNames = (outputs: readonly string[] | Tensors): outputs is readonly string[] =>
  Array.isArray(outputs);

const describeInput = (input: InferenceSession.ValueMetadata): SessionInput =>
  input.isTensor
    ? { name: input.name, type: input.type, shape: input.shape }
    : { name: input.name, type: "nothing", shape: [] };
