import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { quantiseRows } from "../math/quantise-rows.ts";
import { layoutSafetensors } from "../store/safetensors.ts";
import { readTensor } from "../store/safetensors.ts";
import { cacheFolder } from "./cache-folder.ts";
import type { LinearWeight } from "./graph-scope.ts";
import type { StoredWeight, WeightIndex } from "./weight-index.ts";

export const int8Codes = (weight: string): string => `${weight}.codes`;
export const int8Scales = (weight: string): string => `${weight}.scales`;
