import { readSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { ByteSource, StoredWeight, WeightIndex } from "../engine/graph/weights.ts";
import { SepError } from "../errors.ts";
import { readSafetensorsHeader } from "../store/safetensors.ts";
import { readJsonFile } from "./read-json-file.ts";

/** All weights in one file. */
export const SINGLE_FILE = "model.safetensors";
/** Which shard holds which tensor. */
export const SHARD_INDEX = "model.safetensors.index.json";

/**
 * Finds a checkpoint's weights: `model.safetensors`, or the shards that `model.safetensors.index.json` names.
 * @throws SepError `bad-checkpoint` when there are none, or a file is damaged
 */
export async function readWeightIndex(directory: string): Promise<WeightIndex> {
  const weights = new Map<string, StoredWeight>();
  for (const name of await weightFileNames(directory)) {
    const file = join(directory, name);
    const source = fileSource(file);
    const { tensors } = await readSafetensorsHeader(file, { code: "bad-checkpoint" }).catch(
      missingFile(file),
    );
    for (const [tensor, { dtype, shape, begin, end }] of tensors) {
      weights.set(tensor, { dtype, shape, source, byteOffset: begin, byteLength: end - begin });
    }
  }
  return weights;
}

/** A name and a shard for each of 100,000 tensors: 10 MB. */
const MOST_INDEX_BYTES = 32 << 20;

/** Names of a checkpoint's weight files, sorted. */
export async function weightFileNames(directory: string): Promise<string[]> {
  const path = join(directory, SHARD_INDEX);
  const index = await readJsonFile(path, { optional: true, mostBytes: MOST_INDEX_BYTES });
  if (index === null) return [SINGLE_FILE];
  const map = index.weight_map;
  const names = typeof map === "object" && map !== null ? [...new Set(Object.values(map))] : [];
  const plain = names.filter(
    (name): name is string => typeof name === "string" && /^[^/\\]+\.safetensors$/.test(name),
  );
  if (names.length === 0 || plain.length !== names.length) {
    throw new SepError(
      "bad-checkpoint",
      `${path}: "weight_map" does not map tensors to .safetensors files beside it.`,
    );
  }
  return plain.sort();
}

function missingFile(file: string): (error: unknown) => never {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new SepError(
      "bad-checkpoint",
      `${file} does not exist. A checkpoint needs ${SINGLE_FILE}, or its shards and ${SHARD_INDEX}.`,
      { cause: error },
    );
  };
}

/** A file of weights as a source of bytes. @param path absolute */
export function fileSource(path: string): ByteSource {
  return {
    name: basename(path),
    path,
    readAll: () => readFile(path),
    async open() {
      const handle = await open(path, "r");
      return {
        read: (target, offset) => readSync(handle.fd, target, 0, target.length, offset),
        [Symbol.asyncDispose]: () => handle.close(),
      };
    },
  };
}

/** The files that hold a checkpoint's weights, sorted. */
export const weightFiles = (weights: WeightIndex): string[] =>
  [...new Set([...weights.values()].map(({ source }) => source.path as string))].sort();
