import { SepError } from "../errors.ts";
import { hashBytes } from "../formats/hash-bytes.ts";
import { asRow, countField, numberField, oneOfField, type Row } from "../formats/row-fields.ts";
import { parseSafetensors } from "../formats/safetensors.ts";
import { decodeTensor } from "../formats/tensor-bytes.ts";
import { showShortly } from "../text/shorten.ts";
import type { CalibrationMap } from "./calibration.ts";
import { POOLINGS } from "./pooling.ts";
import type { DescribedProbe, Familiarity, Probe, UntrainedProbe } from "./probe.ts";
import { PROBE_KINDS } from "./probe-weights.ts";

export const PROBE_FORMAT = { format: "semantic-entropy-probe", version: 5 } as const;

/**
 * Reads a probe from the content of its two files. Needs nothing of Node: the hash is computed by Web Crypto, which
 * browsers have on pages from https and localhost.
 * @param json    the text of `*.json`
 * @param weights the bytes of the `*.safetensors` beside it
 * @throws SepError `bad-artifact` if it is no probe, or the weights are not those it was written with; `one-class` if
 * it could not be trained
 */
export async function parseProbe(json: string, weights: Uint8Array): Promise<Probe> {
  return requireTrained(await parseStoredProbe(json, weights, { json: "The probe", weights: "The weights" }));
}

/** What the two files are called, for messages. */
interface ProbeNames {
  readonly json: string;
  readonly weights: string;
}

/** As {@link parseProbe}, but hands back the stand-in of a probe that could not be trained. */
export async function parseStoredProbe(
  json: string,
  weights: Uint8Array,
  names: ProbeNames,
): Promise<Probe | UntrainedProbe> {
  const { weights: stored, ...description } = parseDescription(json, names.json);
  if (description.kind === "untrained") return description;
  const sha256 = await hashBytes(weights);
  if (sha256 !== stored.sha256)
    throw refuse(
      names.weights,
      `has the SHA-256 ${sha256}, expected ${stored.sha256} of the file that ${names.json} was written with`,
    );
  const { tensors } = parseSafetensors(weights, names.weights);
  const read = (name: string, shape: readonly number[]): Float32Array => {
    const entry = tensors.get(name);
    if (entry === undefined || entry.shape.join() !== shape.join())
      throw refuse(names.weights, `"${name}" has shape [${entry?.shape ?? "missing"}], expected [${shape}]`);
    // a copy, since the bytes may begin anywhere
    return decodeTensor(weights.slice(entry.begin, entry.end), entry.dtype);
  };
  const { width, kind } = description;
  const units = kind === "mlp" ? (tensors.get("hidden_biases")?.shape[0] ?? 0) : width;
  const { familiarity, ...told } = description;
  return {
    ...told,
    familiarity: familiarity === null ? null : readFamiliarity(familiarity, width, tensors, read),
    mean: read("mean", [width]),
    scale: read("scale", [width]),
    coefficients: read("coefficients", [units]),
    ...(description.pooling?.method === "attention" ? { query: read("query", [width]) } : {}),
    hidden:
      kind === "mlp"
        ? { weights: read("hidden_weights", [width, units]), biases: read("hidden_biases", [units]) }
        : null,
  };
}

/** @param read a tensor of a shape, or refuses */
function readFamiliarity(
  { validation_questions, ...told }: NonNullable<DescribedProbe["familiarity"]>,
  width: number,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  read: (name: string, shape: readonly number[]) => Float32Array,
): Familiarity {
  const count = tensors.get("familiarity_variances")?.shape[0] ?? 0;
  return {
    ...told,
    centre: read("familiarity_centre", [width]),
    directions: read("familiarity_directions", [count, width]),
    variances: read("familiarity_variances", [count]),
    distances: read("familiarity_distances", [validation_questions]),
  };
}

/** @throws SepError `one-class` */
export function requireTrained(probe: Probe | UntrainedProbe, name = "The probe"): Probe {
  if (probe.kind !== "untrained") return probe;
  const reasons = probe.warnings.map(({ message }) => message).join(" ");
  throw new SepError("one-class", `${name} could not be trained: ${reasons}`);
}

/** The content of a probe's JSON file. */
type StoredProbe = { readonly weights: { readonly file: string; readonly sha256: string } } & (
  | DescribedProbe
  | UntrainedProbe
);

/** The JSON file, with the fields checked that scoring rests on. */
function parseDescription(json: string, name: string): StoredProbe {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw refuse(name, "is not valid JSON", cause);
  }
  const { format, version, ...row } = (value ?? {}) as Row;
  if (format !== PROBE_FORMAT.format || version !== PROBE_FORMAT.version)
    throw refuse(
      name,
      `is format ${showShortly(format)} version ${showShortly(version)}, expected "${PROBE_FORMAT.format}" version ${PROBE_FORMAT.version}`,
    );
  try {
    if (typeof asRow(row.weights).sha256 !== "string") throw new TypeError('"weights" has no "sha256"');
    if (row.kind !== "untrained") checkTrained(row);
  } catch (cause) {
    throw refuse(name, (cause as Error).message, cause);
  }
  return row as unknown as StoredProbe;
}

function checkTrained(row: Row): void {
  oneOfField(row, "kind", PROBE_KINDS);
  const [width, layers] = [countField(row, "width"), countField(row, "layer_count")];
  if (width === 0 || layers === 0 || width % layers !== 0)
    throw new TypeError(`"width" is ${width} of ${layers} layers, expected some for each`);
  numberField(row, "intercept");
  const features = oneOfField(row, "features", ["hidden-state", "token-states", "mean-think-entropy"]);
  if ((features === "token-states") !== (row.pooling !== undefined))
    throw new TypeError(
      `"features" is ${features}, but "pooling" is ${row.pooling === undefined ? "missing" : "there"}`,
    );
  if (row.pooling !== undefined) checkPooling(asRow(row.pooling));
  asRow(row.source);
  if (!Array.isArray(row.decisions)) throw new TypeError('"decisions" is not a list');
  if (row.familiarity !== null) checkFamiliarity(asRow(row.familiarity));
  if (row.score_deciles !== null && !isAscending(row.score_deciles))
    throw new TypeError('"score_deciles" is not a list of ascending numbers');
  if (row.calibration_map !== null) checkMap(asRow(row.calibration_map) as Row & Partial<CalibrationMap>);
}

function checkPooling(row: Row): void {
  const method = oneOfField(row, "method", POOLINGS);
  if (method !== "rolling-max") return;
  if (countField(row, "window") === 0) throw new TypeError('"window" is 0, expected some tokens');
}

function checkFamiliarity(row: Row): void {
  countField(row, "validation_questions");
  for (const name of ["level", "residual_variance"])
    if (!(numberField(row, name) > 0)) throw new TypeError(`"${name}" is not above 0`);
}

function checkMap(map: Row): void {
  const method = oneOfField(map, "method", ["platt", "isotonic"]);
  if (method === "platt") {
    if (!(numberField(map, "slope") > 0)) throw new TypeError('"slope" is not above 0');
    numberField(map, "offset");
    return;
  }
  const { x, y } = map as { readonly x: unknown; readonly y: unknown };
  if (!isAscending(x) || !isAscending(y) || x.length !== y.length || x.length === 0)
    throw new TypeError('"calibration_map" is not two lists of ascending numbers');
}

const isAscending = (values: unknown): values is number[] =>
  Array.isArray(values) &&
  values.every((value, i) => typeof value === "number" && (i === 0 || value >= values[i - 1]));

const refuse = (name: string, reason: string, cause?: unknown): SepError =>
  new SepError("bad-artifact", `${name} ${reason}. Make it again with \`sep train\`.`, { cause });
