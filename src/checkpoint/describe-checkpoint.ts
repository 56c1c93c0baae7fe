import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { findArchitecture } from "../engine/graph/architectures/registry.ts";
import { checkConfigSizes } from "../engine/graph/check-config.ts";
import { createConfigReader } from "../engine/graph/config-reader.ts";
import type { DecoderConfig } from "../engine/graph/decoder-config.ts";
import type { WeightIndex } from "../engine/graph/weights.ts";
import { SepError } from "../errors.ts";
import { readModelFile } from "../store/read-file.ts";
import { type GgufHeader, readGgufHeader } from "./gguf/gguf-header.ts";
import { interpretGguf, readFrequencyFactors } from "./gguf/open-gguf.ts";
import { sizeIfThere } from "./hub/hub-cache.ts";
import { isGgufPath } from "./locate-checkpoint.ts";
import { readJsonFile } from "./read-json-file.ts";
import { readWeightIndex } from "./weight-index.ts";

/** What a checkpoint says about itself, without loading it. */
export interface CheckpointDescription {
  /** `model_type` of config.json, `general.architecture` of a GGUF file; null if there is none. */
  readonly modelType: string | null;
  /** Why the local engine cannot run it; null if nothing is in the way. */
  readonly obstacle: string | null;
  /** Sizes of the network; null if the engine cannot read them. */
  readonly config: DecoderConfig | null;
  /** Numbers in all weights; null if the weights cannot be listed. */
  readonly parameters: number | null;
  /** Numbers stored as each type of safetensors or GGUF: `{ BF16: 596049920 }`. */
  readonly dtypes: Readonly<Record<string, number>>;
  readonly files: readonly { readonly name: string; readonly sizeBytes: number }[];
  /** From the front matter of README.md; `general.license` of a GGUF file. */
  readonly license: string | null;
}

/** Describes a folder in Hugging Face format or a GGUF file; what is missing or damaged becomes its `obstacle`. */
export const describeCheckpoint = (path: string): Promise<CheckpointDescription> =>
  isGgufPath(path) ? describeGguf(path) : describeFolder(path);

async function describeFolder(folder: string): Promise<CheckpointDescription> {
  const weights = await explain(() => readWeightIndex(folder));
  const { modelType, config, obstacle } = await describeConfig(folder, weights.value);
  const tokenizer = (await sizeIfThere(join(folder, "tokenizer.json"))) !== null;
  const numbers = weights.value === null ? null : countNumbers([...weights.value.values()]);
  return {
    modelType,
    obstacle:
      obstacle ?? weights.problem?.replaceAll(join(folder, "/"), "") ?? (tokenizer ? null : NO_TOKENIZER),
    config,
    parameters: numbers === null ? null : sumOf(numbers),
    dtypes: numbers ?? {},
    files: await listFiles(folder),
    license: readLicense(await readReadme(folder)),
  };
}

async function describeGguf(path: string): Promise<CheckpointDescription> {
  const files = [{ name: basename(path), sizeBytes: (await sizeIfThere(path)) ?? 0 }];
  const header = await explain(() => readGgufHeader(path));
  if (header.value === null)
    return {
      modelType: null,
      obstacle: header.problem,
      config: null,
      parameters: null,
      dtypes: {},
      files,
      license: null,
    };
  const { metadata, tensors } = header.value;
  const numbers = countNumbers([...tensors.values()].map(({ type, shape }) => ({ dtype: type.name, shape })));
  const config = await explain(() => readGgufDecoderConfig(header.value));
  const textOf = (key: string): string | null => {
    const value = metadata.get(key);
    return typeof value === "string" ? value : null;
  };
  return {
    modelType: textOf("general.architecture"),
    obstacle: config.problem?.replaceAll(`${path}: `, "") ?? null,
    config: config.value,
    parameters: sumOf(numbers),
    dtypes: numbers,
    files,
    license: textOf("general.license"),
  };
}

async function readGgufDecoderConfig(header: GgufHeader): Promise<DecoderConfig> {
  const { config } = interpretGguf(header, await readFrequencyFactors(header));
  return findArchitecture(config).readConfig(config);
}

const NO_TOKENIZER = "tokenizer.json is missing";

async function describeConfig(
  folder: string,
  weights: WeightIndex | null,
): Promise<Pick<CheckpointDescription, "modelType" | "config" | "obstacle">> {
  const path = join(folder, "config.json");
  const fields = await explain(async () => {
    const found = await readJsonFile(path, { optional: true });
    if (found === null) throw new SepError("bad-checkpoint", "config.json is missing");
    return found;
  });
  if (fields.value === null) return { modelType: null, config: null, obstacle: fields.problem };
  const reader = createConfigReader(path, fields.value);
  const { model_type: modelType } = fields.value;
  const { value: config, problem } = await explain(async () => {
    const architecture = findArchitecture(reader);
    checkConfigSizes(reader, weights);
    return architecture.readConfig(reader);
  });
  return {
    modelType: typeof modelType === "string" ? modelType : null,
    config,
    obstacle: problem?.replaceAll(path, "config.json") ?? null,
  };
}

/** What came of an attempt, or why nothing did. */
async function explain<Value>(
  attempt: () => Promise<Value>,
): Promise<
  { readonly value: Value; readonly problem: null } | { readonly value: null; readonly problem: string }
> {
  try {
    return { value: await attempt(), problem: null };
  } catch (error) {
    if (!(error instanceof SepError)) throw error;
    return { value: null, problem: error.message };
  }
}

function countNumbers(
  weights: readonly { readonly dtype: string; readonly shape: readonly number[] }[],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { dtype, shape } of weights) {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    counts[dtype] = (counts[dtype] ?? 0) + size;
  }
  return counts;
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

async function listFiles(folder: string): Promise<CheckpointDescription["files"]> {
  const files: { name: string; sizeBytes: number }[] = [];
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const sizeBytes = entry.isDirectory() ? null : await sizeIfThere(join(folder, entry.name));
    if (sizeBytes !== null) files.push({ name: entry.name, sizeBytes });
  }
  return files;
}

/** null also where it is none to read: a licence that is not known is no obstacle. */
async function readReadme(folder: string): Promise<string | null> {
  const { value } = await explain(() => readModelFile(join(folder, "README.md"), MOST_README_BYTES));
  return value?.toString("utf8") ?? null;
}

const MOST_README_BYTES = 4 << 20;

/** `license: apache-2.0`, or with `license: other` the name beside it. */
function readLicense(readme: string | null): string | null {
  const matter = /^---\r?\n(.*?)\r?\n---\s*$/ms.exec(readme ?? "")?.[1] ?? "";
  // in two steps: one pattern for the spaces and the text between them takes minutes on a line of a million spaces
  const field = (name: string): string | null => {
    const line = new RegExp(`^${name}:(.{1,200})$`, "m").exec(matter)?.[1]?.trim() ?? "";
    return /^(["']?)([^"'#]+)\1$/.exec(line)?.[2]?.trim() ?? null;
  };
  const license = field("license");
  return license === "other" ? (field("license_name") ?? license) : license;
}
