/** From which size on a table of vocabulary is handled so that it takes little memory. */
export interface TableLimits {
  /** Embeddings of this size are not in the graph: their rows are read from the file and fed to it. */
  readonly lookUpBytes: number;
  /** A head above this size, as float32, is a product for each so many bytes of it. */
  readonly headBytes: number;
}

/**
 * onnxruntime maps a table into memory to look rows up in it, and every page that a token ever touched stays: half of
 * a small model's table after a few questions. Reading the rows takes two microseconds each, which only the passes of
 * models with small tables would notice. And while a product's weight is packed for its kernel, onnxruntime holds it
 * twice.
 */
export const TABLE_LIMITS: TableLimits = { lookUpBytes: 2 ** 24, headBytes: 2 ** 26 };
