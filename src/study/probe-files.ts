import { basename, dirname, join } from "node:path";
import { SepError } from "../errors.ts";
import { encodeProbe } from "../probes/encode-probe.ts";
import { encodeForeignProbe, type ProbeExportFormat } from "../probes/export-probe.ts";
import { parseStoredProbe, requireTrained } from "../probes/parse-probe.ts";
import type { Probe, UntrainedProbe } from "../probes/probe.ts";
import { type ProbeDataset, parseDatasetArrays, toDatasetArrays } from "../probes/probe-dataset.ts";
import { readNpz, writeNpz } from "../store/array-file.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { readBytesIfThere } from "../store/read-file.ts";
import { writeAtomic } from "../store/write-atomic.ts";

/** Where the weights of a probe are kept: beside its JSON, under the same name. */
export const weightsPathOf = (jsonPath: string): string => jsonPath.replace(/\.json$/, ".safetensors");

/** Writes a probe: its weights to `*.safetensors`, then its JSON with their hash. */
export async function saveProbe(path: string, probe: Probe | UntrainedProbe): Promise<void> {
  const { weights, describe } = encodeProbe(probe);
  const weightsPath = weightsPathOf(path);
  await writeAtomic(weightsPath, weights);
  await writeAtomic(path, describe({ file: basename(weightsPath), sha256: fingerprint(weights) }));
}

/**
 * Reads a probe and its weights.
 * @throws SepError `missing-input`, `bad-artifact` if the file is not a probe or its weights were changed, `one-class`
 * if it could not be trained
 */
export async function loadProbe(path: string): Promise<Probe> {
  return requireTrained(await readProbeFile(path), path);
}

/** As {@link loadProbe}, but hands back the stand-in of a probe that could not be trained. */
export async function readProbeFile(path: string): Promise<Probe | UntrainedProbe> {
  const json = (await readOrExplain(path, MOST_JSON_BYTES)).toString("utf8");
  const weightsPath = await findWeights(path, json);
  const weights =
    weightsPath === null ? new Uint8Array() : await readOrExplain(weightsPath, MOST_WEIGHTS_BYTES);
  return parseStoredProbe(json, weights, { json: path, weights: weightsPath ?? path });
}

/** Writes a split. */
export async function writeProbeDataset(path: string, dataset: ProbeDataset): Promise<void> {
  await writeNpz(path, toDatasetArrays(dataset));
}

/**
 * Reads a split.
 * @throws SepError `bad-artifact` if a key is missing or its length differs from the others
 */
export const readProbeDataset = async (path: string): Promise<ProbeDataset> =>
  parseDatasetArrays(await readNpz(path), path);

/**
 * Writes a probe for others to use.
 * @param path of the file; of `portable`, the JSON file, whose weights go beside it
 * @returns the files that were written
 * @throws SepError `bad-option` for a `portable` name that does not end in `.json`, or a kind that
 *   the format cannot hold
 */
export async function exportProbe(
  probe: Probe,
  path: string,
  format: ProbeExportFormat,
): Promise<readonly string[]> {
  if (format !== "portable") {
    await writeAtomic(path, encodeForeignProbe(probe, format));
    return [path];
  }
  if (!path.endsWith(".json"))
    throw new SepError(
      "bad-option",
      `A portable probe is a .json file with its weights beside it, got ${path}.`,
    );
  await saveProbe(path, probe);
  return [path, weightsPathOf(path)];
}

/** The default path of an exported probe: the probe's own name with another ending. */
export const exportPathOf = (path: string, format: ProbeExportFormat): string =>
  `${path.replace(/\.json$/, "")}${EXPORT_ENDINGS[format]}`;

const EXPORT_ENDINGS = {
  portable: ".json",
  onnx: ".onnx",
  npz: ".npz",
  "sklearn-json": ".sklearn.json",
} as const satisfies Record<ProbeExportFormat, string>;

/** The weights are beside the JSON file, under the name given in it. @returns null if it has none */
async function findWeights(path: string, json: string): Promise<string | null> {
  try {
    const { weights, kind } = JSON.parse(json) as { weights?: { file?: unknown }; kind?: unknown };
    const isThere = kind !== "untrained" && typeof weights?.file === "string";
    // a name and never a path out of the folder, since the file may come from somebody else
    return isThere ? join(dirname(path), basename(weights.file as string)) : null;
  } catch {
    return null; // whoever parses it says what is wrong
  }
}

/** The JSON file has at most two numbers per validation answer. */
const MOST_JSON_BYTES = 1 << 24;
/** A network of 256 units on 100 layers of 10,000 numbers. */
const MOST_WEIGHTS_BYTES = 1 << 30;

async function readOrExplain(path: string, mostBytes: number): Promise<Buffer> {
  const bytes = await readBytesIfThere(path, mostBytes);
  if (bytes !== null) return bytes;
  throw new SepError("missing-input", `${path} does not exist. Make it with \`sep train\`.`);
}
