import type { TracePosition } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
import type { FeatureSource } from "../../states/feature-source.ts";
import type { HiddenStates } from "../../states/hidden-states.ts";
import type { SpanPooling } from "../pooling.ts";

/** Hidden states in a file of `sep trace`; each thread reads its own layers from it. */
export interface FileFeatures {
  readonly path: string;
  /** For each position to look at [N]: row of the file's tensors, -1 where the sample has no such token. */
  readonly stateRows: Readonly<Partial<Record<TracePosition, Int32Array>>>;
  /** The tokens of each row's span, to be pooled as well. */
  readonly spans?: PooledRows | undefined;
}

/** Spans of tokens, and the ways of pooling them to look at. */
export interface PooledRows {
  /** What the spans are: `every-token` is the whole answer. */
  readonly position: TracePosition;
  /** [N, 2] half-open rows of the file's `every-token` tensors; an empty range where a sample has no token. */
  readonly ranges: Int32Array;
  readonly poolings: readonly SpanPooling[];
}

/** Hidden states in memory. */
export interface ArrayFeatures {
  /** For each position, under any name, one [N, D] per layer from layer 0. */
  readonly layersAt: Readonly<Record<string, readonly Float32Array[]>>;
}

/** Hidden states of several data sets, the rows of one after those of the other. */
export interface StackedFeatures {
  /** Of the same model; only what all of them have is used. */
  readonly parts: readonly FileFeatures[];
}

/** Hidden states to fit probes on. */
export type ProbeFeatures = FileFeatures | ArrayFeatures | StackedFeatures;

/** What one probe reads: a place and a window of layers. */
export interface SweepUnit {
  readonly position: string;
  /** The first of the window. */
  readonly layer: number;
  readonly layerCount: number;
  /** Rows of the data set that have this position, ascending. */
  readonly present: Int32Array;
  /** Features of one layer. */
  readonly width: number;
  /** null for a row's one state. */
  readonly pooling: SpanPooling | null;
  readonly source: FeatureSource;
}

/** Opens a file of hidden states. */
type OpenStates = (path: string) => Promise<Pick<HiddenStates, "positions" | "layers" | "width">>;

/**
 * Lists the sweep units: every position, every window of `window` consecutive layers.
 * @param rowCount N
 * @throws SepError `bad-option` if there is none, or arrays have other sizes than they must
 */
export async function listSweepUnits(
  features: ProbeFeatures,
  rowCount: number,
  window: number,
  openStates: OpenStates,
): Promise<SweepUnit[]> {
  if (!Number.isInteger(window) || window < 1)
    throw new SepError("bad-option", `The window is ${window} layers; it must be an integer >= 1.`);
  const units =
    "path" in features
      ? await listFileUnits(features, window, openStates)
      : "parts" in features
        ? await listStackedUnits(features, window, openStates)
        : listArrayUnits(features, rowCount, window);
  if (units.length > 0) return units;
  throw new SepError(
    "bad-option",
    `There is no position with ${window === 1 ? "a layer" : `${window} layers in a row`} to fit a probe on. Trace more layers or positions, or choose a smaller window.`,
  );
}

async function listFileUnits(
  { path, stateRows, spans }: FileFeatures,
  window: number,
  openStates: OpenStates,
): Promise<SweepUnit[]> {
  const hidden = await openStates(path);
  const pooled = spans === undefined ? [] : listPooledUnits(path, spans, window, hidden);
  const placed = hidden.positions.flatMap((position) => {
    const rows = stateRows[position];
    if (rows === undefined) return [];
    const present = Int32Array.from(rows.keys()).filter((row) => rows[row]! >= 0);
    if (present.length === 0) return [];
    const own = Int32Array.from(present, (row) => rows[row]!);
    return windowsOf(hidden.layers, window).map((layers) => ({
      position,
      layer: layers[0]!,
      layerCount: window,
      present,
      width: hidden.width,
      pooling: null,
      source: { kind: "file", path, position, layers, rows: own } as const,
    }));
  });
  return [...placed, ...pooled];
}

function listPooledUnits(
  path: string,
  { position, ranges, poolings }: PooledRows,
  window: number,
  { layers: traced, width }: Pick<HiddenStates, "layers" | "width">,
): SweepUnit[] {
  const present = Int32Array.from({ length: ranges.length / 2 }, (_, row) => row).filter(
    (row) => ranges[2 * row + 1]! > ranges[2 * row]!,
  );
  if (present.length === 0) return [];
  const own = new Int32Array(2 * present.length);
  present.forEach((row, i) => {
    own.set(ranges.subarray(2 * row, 2 * row + 2), 2 * i);
  });
  return poolings.flatMap((pooling) =>
    windowsOf(traced, window).map((layers) => ({
      position,
      layer: layers[0]!,
      layerCount: window,
      present,
      width,
      pooling,
      source: { kind: "spans", reads: "means", path, layers, ranges: own } as const,
    })),
  );
}

async function listStackedUnits(
  { parts }: StackedFeatures,
  window: number,
  openStates: OpenStates,
): Promise<SweepUnit[]> {
  const listed = await Promise.all(parts.map((part) => listFileUnits(part, window, openStates)));
  const sizes = parts.map(({ stateRows }) => Object.values(stateRows)[0]?.length ?? 0);
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  const [first = []] = listed;
  return first.flatMap((unit) => {
    const own = listed.map((units) =>
      units.find(({ position, layer }) => position === unit.position && layer === unit.layer),
    );
    if (!own.every((found) => found !== undefined && found.width === unit.width)) return [];
    const found = own as SweepUnit[];
    return {
      ...unit,
      present: Int32Array.from(
        found.flatMap(({ present }, i) => Array.from(present, (row) => row + starts[i]!)),
      ),
      source: { kind: "stacked", parts: found.map(({ source }) => source) },
    };
  });
}

function listArrayUnits({ layersAt }: ArrayFeatures, rowCount: number, window: number): SweepUnit[] {
  return Object.entries(layersAt).flatMap(([position, arrays]) => {
    const size = arrays[0]?.length ?? 0;
    const width = size / rowCount;
    const wrong = arrays.find((array) => array.length !== size);
    if (!Number.isInteger(width) || width === 0 || wrong !== undefined) {
      throw new SepError(
        "bad-option",
        `The layers at ${position} have ${(wrong ?? arrays[0])?.length ?? 0} numbers, expected the same multiple of ${rowCount} rows each.`,
      );
    }
    return windowsOf([...arrays.keys()], window).map((layers) => ({
      position,
      layer: layers[0]!,
      layerCount: window,
      present: Int32Array.from({ length: rowCount }, (_, row) => row),
      width,
      pooling: null,
      source: { kind: "arrays", layers: layers.map((layer) => arrays[layer]!), rowCount },
    }));
  });
}

/** Runs of `window` layers without a gap. */
function windowsOf(layers: readonly number[], window: number): number[][] {
  return layers
    .map((_, first) => layers.slice(first, first + window))
    .filter((own) => own.length === window && own.at(-1)! - own[0]! === window - 1);
}
