import type { ByteSource } from "../graph/weights.ts";
import type { DeviceName } from "./device.ts";

/** What runs ONNX graphs. Everything else of the engine knows this interface only. */
export interface Runtime {
  /** The package that does it. */
  readonly name: string;
  readonly version: string;
  /** Whether it reads half-precision constants; true by default. Otherwise weights are widened before it gets them. */
  readonly castsHalf?: boolean;
  createSession(model: OnnxModel, options: SessionOptions): Promise<Session>;
}

/** A graph that was built here with what its constants lie in, or the path of a model file. */
export type OnnxModel = GraphModel | string;

export interface GraphModel {
  /** Serialised; its external data are the sources' names. */
  readonly graph: Uint8Array;
  readonly sources: readonly ByteSource[];
}

export interface SessionOptions {
  /** That one run is split among. */
  readonly threads: number;
  readonly device?: DeviceName;
  /** Whether the graph multiplies integers: then it takes kernels that do so exactly. */
  readonly multipliesIntegers?: boolean;
  /** Whether the graph is improved when it is loaded; small ones are as fast without. */
  readonly optimise?: boolean;
  /**
   * What becomes of a run's memory. `planned`: it is kept, laid out by the shapes of the run before. `kept`: for shapes
   * that change with every run. `returned`: given back, for runs that are rare.
   */
  readonly memory?: "planned" | "kept" | "returned";
}

/** A graph that is loaded. Several runs may be under way at the same time. */
export interface Session extends AsyncDisposable {
  readonly inputs: readonly SessionInput[];
  readonly outputNames: readonly string[];
  /**
   * @param feeds every input by its name; arrays that are fed are read in place
   * @param outputs those wanted, each with the tensor whose array it is written into, or null for a new one; all by default
   */
  run(feeds: Tensors, outputs?: Readonly<Record<string, Tensor | null>>): Promise<Tensors>;
}

export interface SessionInput {
  readonly name: string;
  readonly type: string;
  /** Sizes, and names of those that each run sets. */
  readonly shape: readonly (number | string)[];
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** Numbers in the process's memory, row-major. */
export interface Tensor {
  readonly type: TensorType;
  readonly data: TensorArray;
  readonly dims: readonly number[];
}

export type TensorType = "float32" | "int8" | "uint8" | "int32" | "int64";
export type TensorArray = Float32Array | Int8Array | Uint8Array | Int32Array | BigInt64Array;

/** The array is not copied. */
export const floatTensor = (data: Float32Array, dims: readonly number[]): Tensor => ({
  type: "float32",
  data,
  dims,
});

export const integerTensor = (values: readonly number[], dims: readonly number[]): Tensor => ({
  type: "int64",
  data: BigInt64Array.from(values, BigInt),
  dims,
});

/** The numbers of a float32 output. */
export const readFloats = (tensors: Tensors, name: string): Float32Array =>
  (tensors[name] as Tensor).data as Float32Array;
