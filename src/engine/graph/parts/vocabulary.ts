import { DECODER_TENSORS as names } from "../decoder-tensors.ts";
import { ONNX_TYPES, type OnnxGraph, type TensorName } from "../graph.ts";
import type { Head } from "./embedding.ts";

/** Logits that are looked at together: a block is read if its highest one is. */
export const LOGIT_BLOCK = 64;

/** Logits so close to the highest one, in units of the temperature, nearly always have the share that is wanted. */
const NEAR_NATS = 5;
/** More than what float32 loses of them. */
const ROUNDING = 1e-2;

/** Below any logit, so that its weight is zero; not infinite, since infinity times zero is no number. */
const NO_LOGIT = -1e30;

/**
 * Adds the logits, and what sampling needs of whole rows of them, so that a row's 50,000 to 260,000 numbers need not leave the graph, and
 * so that their exponentials are taken by vector kernels.
 *
 * Inputs `inverse_temperature`, `window` and `share` [rows]. Outputs `logits` [rows, V], and per row: `highest`, the highest logit; sums over the vocabulary of
 * w = exp(logit - highest) (`mass`), of w ln w (`weighted`), and of w^inverse_temperature (`tempered_mass`); `reached`,
 * which is `window`, or less if logits so close to the highest one have `share` of the tempered mass; and of the blocks
 * of {@link LOGIT_BLOCK} logits whose highest one is at most `reached` below the row's: row and block `likely_places` [2, n],
 * ascending, and the blocks `likely_logits` [n, LOGIT_BLOCK], filled up with very low ones.
 */
export function addVocabulary(graph: OnnxGraph, head: Head, vocabularySize: number): void {
  const inverseTemperature = graph.input(names.inverseTemperature, "float32", ["predicted"]);
  const window = graph.input(names.window, "float32", ["predicted"]);
  const share = graph.input(names.share, "float32", ["predicted"]);
  const blockCount = Math.ceil(vocabularySize / LOGIT_BLOCK);
  const missing = blockCount * LOGIT_BLOCK - vocabularySize;
  const padded = graph.fresh();
  const blockHighest = graph.fresh();
  // row by row: what is kept of one row fits into a CPU's cache
  graph.addForRows(
    [inverseTemperature, window, share, head.rows, ...(head.scales === null ? [] : [head.scales])],
    [
      names.logits,
      names.highest,
      names.mass,
      names.weighted,
      names.temperedMass,
      names.reached,
      blockHighest,
      ...(missing > 0 ? [padded] : []),
    ],
    ([inverse, widest, wanted, rows, scales = null]) => {
      // a row as it came cannot be a result, which has to be computed here
      const finished = head.finish({ rows: rows as TensorName, scales });
      const row = finished === rows ? graph.add("Identity", [finished]) : finished;
      // A sum starts with the values before the first aligned one, so its last bits depend on where in memory its row lies.
      // Rows of whole blocks all lie alike: 64 bytes are the widest vectors.
      const whole =
        missing > 0 ? graph.add("Pad", [row, graph.integers([0, missing]), graph.scalar(NO_LOGIT)]) : row;
      const reduce = (op: string, x: TensorName, attributes = { keepdims: 0 }): TensorName =>
        graph.add(op, [x, graph.integers([-1])], attributes);
      const blocks = graph.add("Reshape", [whole, graph.integers([blockCount, LOGIT_BLOCK])]);
      const highestOfBlocks = reduce("ReduceMax", blocks);
      const highest = reduce("ReduceMax", highestOfBlocks);
      const below = graph.add("Sub", [whole, highest]);
      const weights = graph.add("Exp", [below]);
      const tempered = graph.add("Exp", [graph.add("Mul", [below, inverse as TensorName])]);
      const temperedMass = reduce("ReduceSum", tempered);
      const near = graph.add("ThresholdedRelu", [tempered], { alpha: { float: Math.exp(-NEAR_NATS) } });
      const isEnough = graph.add("GreaterOrEqual", [
        reduce("ReduceSum", near),
        graph.add("Mul", [temperedMass, wanted as TensorName]),
      ]);
      const close = graph.add("Div", [graph.scalar(NEAR_NATS + ROUNDING), inverse as TensorName]);
      return [
        row,
        highest,
        reduce("ReduceSum", weights),
        reduce("ReduceSum", graph.add("Mul", [weights, below])),
        temperedMass,
        graph.add("Where", [isEnough, graph.add("Min", [close, widest as TensorName]), widest as TensorName]),
        highestOfBlocks,
        ...(missing > 0 ? [whole] : []),
      ];
    },
  );
  graph.output(names.logits, "float32", ["predicted", vocabularySize]);
  for (const name of [names.highest, names.mass, names.weighted, names.temperedMass, names.reached])
    graph.output(name, "float32", ["predicted"]);
  const lowest = graph.add("Unsqueeze", [
    graph.add("Sub", [names.highest, names.reached]),
    graph.integers([1]),
  ]);
  const places = graph.add("NonZero", [graph.add("GreaterOrEqual", [blockHighest, lowest])]);
  graph.addNamed("Cast", [places], [names.likelyPlaces], { to: ONNX_TYPES.int32 });
  graph.output(names.likelyPlaces, "int32", [2, "likely"]);
  const rows = graph.add("Reshape", [
    missing > 0 ? padded : names.logits,
    graph.integers([-1, blockCount, LOGIT_BLOCK]),
  ]);
  graph.addNamed(
    "GatherND",
    [rows, graph.add("Transpose", [places], { perm: [1, 0] })],
    [names.likelyLogits],
  );
  graph.output(names.likelyLogits, "float32", ["likely", LOGIT_BLOCK]);
}
