import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SepError } from "../errors.ts";
import { fingerprintFile } from "../store/fingerprint.ts";
import { type Json, stableStringify } from "../store/json.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { readTensor, writeSafetensors } from "../store/safetensors.ts";
import { readSafetensorsHeader } from "../store/safetensors-header.ts";
import { writeAtomic } from "../store/write-atomic.ts";
import type { Probe } from "./probe.ts";
import type { ProbeTarget } from "./select-layer.ts";

/** Stands in for a probe that could not be trained, with the reason. */
export interface UntrainedProbe {
  readonly kind: "untrained";
  readonly target: ProbeTarget;
  readonly warnings: readonly ManifestWarning[];
}

const FORMAT = { format: "semantic-entropy-probe", version: 2 } as const;

/** Where the weights of a probe are kept: beside its JSON, under the same name. */
export const weightsPathOf = (jsonPath: string): string => jsonPath.replace(/\.json$/, ".safetensors");

/**
 * Writes a probe: its weights to `*.safetensors` (no tensors if untrained), then its JSON with their hash.
 */
export async function saveProbe(path: string, probe: Probe | UntrainedProbe): Promise<void> {
  const weightsPath = weightsPathOf(path);
  const { description, tensors } = separateWeights(probe);
  await writeSafetensors(weightsPath, tensors);
  const weights = { file: basename(weightsPath), sha256: await fingerprintFile(weightsPath) };
  await writeAtomic(path, `${stableStringify({ ...FORMAT, ...description, weights }, 2)}\n`);
}

/**
 * Reads a probe and its weights.
 * @throws SepError `missing-input`, `bad-artefact` if the file is no probe or its weights were changed, `one-class`
 * if it could not be trained
 */
export async function loadProbe(path: string): Promise<Probe> {
  const probe = await readProbeFile(path);
  if (probe.kind !== "untrained") return probe;
  throw new SepError(
    "one-class",
    `${path} could not be trained: ${probe.warnings.map(({ message }) => message).join(" ")}`,
  );
}

/** As {@link loadProbe}, but hands back the stand-in of a probe that could not be trained. */
export async function readProbeFile(path: string): Promise<Probe | UntrainedProbe> {
  const stored = await readStored(path);
  if (stored.format !== FORMAT.format || stored.version !== FORMAT.version) {
    throw new SepError(
      "bad-artefact",
      `${path} is format "${stored.format}" version ${stored.version}, expected "${FORMAT.format}" version ${FORMAT.version}. Make it anew with \`sep train\`.`,
    );
  }
  const { format: _format, version: _version, weights, ...description } = stored;
  if (description.kind === "untrained") return description;
  const weightsPath = join(dirname(path), weights.file);
  const { tensors } = await readSafetensorsHeader(weightsPath);
  if ((await fingerprintFile(weightsPath)) !== weights.sha256) {
    throw new SepError(
      "bad-artefact",
      `${weightsPath} is not the file that ${path} was written with. Refit with \`sep train\`.`,
    );
  }
  const read = async (name: string, shape: readonly number[]): Promise<Float32Array> => {
    const entry = tensors.get(name);
    if (entry !== undefined && entry.shape.join() === shape.join()) return readTensor(weightsPath, entry);
    throw new SepError(
      "bad-artefact",
      `${weightsPath}: "${name}" has shape [${entry?.shape ?? "missing"}], expected [${shape}]. Refit with \`sep train\`.`,
    );
  };
  const { width, kind } = description;
  const units = kind === "mlp" ? (tensors.get("hidden_biases")?.shape[0] ?? 0) : width;
  return {
    ...description,
    mean: await read("mean", [width]),
    scale: await read("scale", [width]),
    coefficients: await read("coefficients", [units]),
    hidden:
      kind === "mlp"
        ? {
            weights: await read("hidden_weights", [width, units]),
            biases: await read("hidden_biases", [units]),
          }
        : null,
  };
}

type StoredProbe = { readonly format: string; readonly version: number } & {
  readonly weights: { readonly file: string; readonly sha256: string };
} & (Omit<Probe, "mean" | "scale" | "coefficients" | "hidden"> | UntrainedProbe);

async function readStored(path: string): Promise<StoredProbe> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new SepError("missing-input", `${path} does not exist. Make it with \`sep train\`.`, { cause });
  }
  try {
    return JSON.parse(text) as StoredProbe;
  } catch (cause) {
    throw new SepError("bad-artefact", `${path} is not valid JSON. Make it anew with \`sep train\`.`, {
      cause,
    });
  }
}

function separateWeights(probe: Probe | UntrainedProbe): {
  description: Readonly<Record<string, Json>>;
  tensors: Parameters<typeof writeSafetensors>[1];
} {
  if (probe.kind === "untrained")
    return { description: { ...probe } as unknown as Record<string, Json>, tensors: [] };
  const { mean, scale, coefficients, hidden, ...description } = probe;
  const { width } = probe;
  const layer = hidden === null ? [] : [hidden.weights, hidden.biases];
  const tensors = [
    { name: "mean", shape: [width], data: mean },
    { name: "scale", shape: [width], data: scale },
    { name: "coefficients", shape: [coefficients.length], data: coefficients },
    ...layer.map((data, i) => ({
      name: i === 0 ? "hidden_weights" : "hidden_biases",
      shape: i === 0 ? [width, data.length / width] : [data.length],
      data,
    })),
  ].map((tensor) => ({ ...tensor, dtype: "F32" as const }));
  return { description: description as unknown as Record<string, Json>, tensors };
}
