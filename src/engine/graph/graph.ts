import {
  bytesField,
  concat,
  type EncodedField,
  floatField,
  messageField,
  textField,
  varintField,
} from "./protobuf.ts";

/** ONNX TensorProto.DataType numbers of the types we use. */
export const ONNX_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  float16: 10,
  bfloat16: 16,
} as const;
export type OnnxType = keyof typeof ONNX_TYPES;

/** A tensor of the graph, by name. */
export type TensorName = string;

/** A number is an ONNX int attribute; floats are marked, since 1 and 1.0 are different attribute types. */
export type Attribute = number | string | readonly number[] | { readonly float: number } | GraphBody;

/** A serialised graph within the graph. */
type GraphBody = Uint8Array;

/** A dimension: a fixed size, or the name of one that each run sets. */
export type Dimension = number | string;

/** Where an external initializer's bytes are: a file beside the model file, and a range in it. */
interface ExternalData {
  readonly file: string;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** Collects nodes, constants, inputs and outputs, and serialises them as an ONNX model. */
export interface OnnxGraph {
  /** Adds a node with one output and returns that output's name. An empty input name is an omitted input. */
  add(
    op: string,
    inputs: readonly TensorName[],
    attributes?: Readonly<Record<string, Attribute>>,
  ): TensorName;
  /** Adds a node whose outputs get these names ("" omits one). */
  addNamed(
    op: string,
    inputs: readonly TensorName[],
    outputs: readonly TensorName[],
    attributes?: Readonly<Record<string, Attribute>>,
  ): void;
  /**
   * Adds what is computed row by row: `body` takes one row of each input, and what it returns for all rows is stacked in
   * outputs of these names. It may read constants and other tensors of the graph, and what it adds is the row's own.
   */
  addForRows(
    inputs: readonly TensorName[],
    outputs: readonly TensorName[],
    body: (rows: readonly TensorName[]) => readonly TensorName[],
  ): void;
  /** A fresh tensor name. */
  fresh(): TensorName;
  /** A small constant stored in the model file; equal int64 constants share one initializer. */
  constant(values: Float32Array, dimensions: readonly number[]): TensorName;
  integers(values: readonly number[]): TensorName;
  /** A float32 constant without dimensions; equal ones share one initializer. */
  scalar(value: number): TensorName;
  /** The same for uint8. */
  byte(value: number): TensorName;
  /** A constant whose bytes stay in a weight file. */
  external(name: TensorName, type: OnnxType, dimensions: readonly number[], data: ExternalData): TensorName;
  input(name: TensorName, type: OnnxType, dimensions: readonly Dimension[]): TensorName;
  output(name: TensorName, type: OnnxType, dimensions: readonly Dimension[]): void;
  serialize(): Uint8Array;
}

const IR_VERSION = 10;
const OPSET = 21;
const CONTRIB_DOMAIN = "com.microsoft";
/** Operators of onnxruntime's own domain; all others are standard ONNX. */
const CONTRIB_OPS: ReadonlySet<string> = new Set([
  "FusedMatMul",
  "MatMulIntegerToFloat",
  "MatMulNBits",
  "QuickGelu",
  "RotaryEmbedding",
]);

/**
 * An empty ONNX graph.
 * @param metadata kept in the model file, for whoever reads it
 */
export function createGraph(name = "graph", metadata: Readonly<Record<string, string>> = {}): OnnxGraph {
  /** Of the graph, or of the body that is being built. */
  let nodes: EncodedField[] = [];
  const initializers: EncodedField[] = [];
  const inputs: EncodedField[] = [];
  const outputs: EncodedField[] = [];
  const sharedIntegers = new Map<string, TensorName>();
  const sharedBytes = new Map<number, TensorName>();
  const sharedScalars = new Map<number, TensorName>();
  let counter = 0;
  let count = 0;

  const graph: OnnxGraph = {
    add(op, nodeInputs, attributes = {}) {
      const output = graph.fresh();
      graph.addNamed(op, nodeInputs, [output], attributes);
      return output;
    },
    addNamed(op, nodeInputs, nodeOutputs, attributes = {}) {
      nodes.push(encodeNode(op, `${op}_${count++}`, nodeInputs, nodeOutputs, attributes));
    },
    addForRows(scanned, stacked, body) {
      const around = nodes;
      nodes = [];
      const rows = scanned.map(() => graph.fresh());
      const results = body(rows);
      const inner = concat([
        ...nodes,
        textField(2, "row"),
        ...rows.map((row) => messageField(11, encodeValueInfo(row, "float32", null))),
        ...results.map((result) => messageField(12, encodeValueInfo(result, "float32", null))),
      ]);
      nodes = around;
      graph.addNamed("Scan", scanned, stacked, { body: inner, num_scan_inputs: scanned.length });
    },
    fresh: () => `t${counter++}`,
    constant(values, dimensions) {
      const tensor = graph.fresh();
      initializers.push(encodeInlineTensor(tensor, "float32", dimensions, rawBytes(values)));
      return tensor;
    },
    integers(values) {
      const key = values.join(",");
      const shared = sharedIntegers.get(key);
      if (shared !== undefined) return shared;
      const tensor = graph.fresh();
      sharedIntegers.set(key, tensor);
      const words = BigInt64Array.from(values, BigInt);
      initializers.push(encodeInlineTensor(tensor, "int64", [values.length], rawBytes(words)));
      return tensor;
    },
    scalar(value) {
      const tensor = sharedScalars.get(value) ?? graph.constant(Float32Array.of(value), []);
      sharedScalars.set(value, tensor);
      return tensor;
    },
    byte(value) {
      const tensor = sharedBytes.get(value) ?? graph.fresh();
      if (!sharedBytes.has(value)) {
        sharedBytes.set(value, tensor);
        initializers.push(encodeInlineTensor(tensor, "uint8", [], Uint8Array.of(value)));
      }
      return tensor;
    },
    external(tensor, type, dimensions, data) {
      initializers.push(encodeExternalTensor(tensor, type, dimensions, data));
      return tensor;
    },
    input(tensor, type, dimensions) {
      inputs.push(messageField(11, encodeValueInfo(tensor, type, dimensions)));
      return tensor;
    },
    output(tensor, type, dimensions) {
      outputs.push(messageField(12, encodeValueInfo(tensor, type, dimensions)));
    },
    serialize() {
      const body = [...nodes, textField(2, name), ...initializers, ...inputs, ...outputs];
      return concat([
        varintField(1, IR_VERSION),
        textField(2, "semantic-entropy-probes"),
        messageField(7, body),
        messageField(8, [textField(1, ""), varintField(2, OPSET)]),
        messageField(8, [textField(1, CONTRIB_DOMAIN), varintField(2, 1)]),
        ...Object.entries(metadata).map(([key, value]) =>
          messageField(14, [textField(1, key), textField(2, value)]),
        ),
      ]);
    },
  };
  return graph;
}

function encodeNode(
  op: string,
  name: string,
  inputs: readonly TensorName[],
  outputs: readonly TensorName[],
  attributes: Readonly<Record<string, Attribute>>,
): EncodedField {
  return messageField(1, [
    ...inputs.map((input) => textField(1, input)),
    ...outputs.map((output) => textField(2, output)),
    textField(3, name),
    textField(4, op),
    ...Object.entries(attributes).map(([key, value]) => messageField(5, encodeAttribute(key, value))),
    ...(CONTRIB_OPS.has(op) ? [textField(7, CONTRIB_DOMAIN)] : []),
  ]);
}

/** AttributeProto: f = 2, i = 3, s = 4, g = 6, ints = 8; type = 20 with FLOAT 1, INT 2, STRING 3, GRAPH 5, INTS 7. */
function encodeAttribute(name: string, value: Attribute): EncodedField[] {
  const named = textField(1, name);
  if (typeof value === "number") return [named, varintField(3, value), varintField(20, 2)];
  if (typeof value === "string") return [named, textField(4, value), varintField(20, 3)];
  if (value instanceof Uint8Array) return [named, bytesField(6, value), varintField(20, 5)];
  if ("float" in value) return [named, floatField(2, value.float), varintField(20, 1)];
  return [named, ...value.map((item) => varintField(8, item)), varintField(20, 7)];
}

/** TensorProto: dims = 1, data_type = 2, name = 8, raw_data = 9, external_data = 13, data_location = 14. */
function encodeInlineTensor(
  name: TensorName,
  type: OnnxType,
  dimensions: readonly number[],
  bytes: Uint8Array,
): EncodedField {
  return messageField(5, [...encodeTensorHead(name, type, dimensions), bytesField(9, bytes)]);
}

function encodeExternalTensor(
  name: TensorName,
  type: OnnxType,
  dimensions: readonly number[],
  { file, byteOffset, byteLength }: ExternalData,
): EncodedField {
  const entries = { location: file, offset: String(byteOffset), length: String(byteLength) };
  return messageField(5, [
    ...encodeTensorHead(name, type, dimensions),
    ...Object.entries(entries).map(([key, value]) =>
      messageField(13, [textField(1, key), textField(2, value)]),
    ),
    varintField(14, 1),
  ]);
}

const encodeTensorHead = (
  name: TensorName,
  type: OnnxType,
  dimensions: readonly number[],
): EncodedField[] => [
  ...dimensions.map((dimension) => varintField(1, dimension)),
  varintField(2, ONNX_TYPES[type]),
  textField(8, name),
];

/** @param dimensions null for any */
function encodeValueInfo(
  name: TensorName,
  type: OnnxType,
  dimensions: readonly Dimension[] | null,
): EncodedField[] {
  if (dimensions === null)
    return [textField(1, name), messageField(2, [messageField(1, [varintField(1, ONNX_TYPES[type])])])];
  const shape = dimensions.map((dimension) =>
    messageField(1, [typeof dimension === "number" ? varintField(1, dimension) : textField(2, dimension)]),
  );
  const tensorType = [varintField(1, ONNX_TYPES[type]), messageField(2, shape)];
  return [textField(1, name), messageField(2, [messageField(1, tensorType)])];
}

const rawBytes = (values: Float32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
