import { readSafetensorsHeader, readTensor } from "../src/store/safetensors.ts";

/** All tensors of a golden file, flat, by name. */
export async function readTensors(path: string): Promise<Record<string, Float32Array>> {
  const { tensors } = await readSafetensorsHeader(path);
  const entries: [string, Float32Array][] = [];
  for (const [name, entry] of tensors) entries.push([name, await readTensor(path, entry)]);
  return Object.fromEntries(entries);
}
