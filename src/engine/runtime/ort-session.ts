import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-node";
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
  const toOrt = ({ type, data, dims }: Tensor): OrtTensor => new Tensor(type, data, dims);
  return {
    inputs: session.inputMetadata.map(describeInput),
    outputNames: session.outputNames,
    async run(feeds, outputs) {
      if (outputs === undefined) return fromOrt(await session.run(mapValues(feeds, toOrt)));
      if (writesInPlace)
        return fromOrt(
          await session.run(
            mapValues(feeds, toOrt),
            mapValues(outputs, (given) => given && toOrt(given)),
          ),
        );
      const computed = fromOrt(await session.run(mapValues(feeds, toOrt), Object.keys(outputs)));
      for (const [name, given] of Object.entries(outputs)) {
        if (given !== null) (given.data as Float32Array).set((computed[name] as Tensor).data as Float32Array);
      }
      return computed;
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}

const mapValues = <Value, Result>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value) => Result,
): Record<string, Result> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

/** onnxruntime's tensors have what the port's have; graphs of ours give no other types. */
const fromOrt = (tensors: InferenceSession.ReturnType): Tensors => tensors as unknown as Tensors;

const describeInput = (input: InferenceSession.ValueMetadata): SessionInput =>
  input.isTensor
    ? { name: input.name, type: input.type, shape: input.shape }
    : { name: input.name, type: "nothing", shape: [] };
