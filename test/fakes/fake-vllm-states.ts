import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { LanguageModel } from "../../src/engine/language-model.ts";
import { writeSafetensors } from "../../src/store/safetensors.ts";

/** What is wrong with a file of hidden states. */
export type FileFault =
  /** It comes a while after the answer, in two pieces. */
  | "late"
  /** It stays half written, as after a crash of the writer. */
  | "truncated"
  /** As with prefix caching: fewer tokens than were sent. */
  | "short"
  /** As of another request. */
  | "other-ids"
  /** As some versions write for some models. */
  | "zero"
  /** It never comes. */
  | "missing";

export interface StatesOptions {
  readonly folder: string;
  readonly layers: readonly number[];
  readonly dtype?: "F32" | "BF16";
}

const LATE_MS = 150;

/**
 * Writes what vLLM's ExampleHiddenStatesConnector writes: the lock file first, and the states behind the answer's back.
 * @returns the path that the answer names
 */
export async function writeStates(
  model: LanguageModel,
  { folder, layers, dtype = "F32" }: StatesOptions,
  {
    id,
    tokenIds,
    fault,
  }: { readonly id: string; readonly tokenIds: readonly number[]; readonly fault: FileFault | null },
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${id}-0-${randomBytes(4).toString("hex")}.safetensors`);
  await writeFile(`${path}.lock`, "");
  if (fault === "missing") return path;
  const kept = fault === "short" ? tokenIds.slice(0, Math.floor(tokenIds.length / 2)) : tokenIds;
  const { residuals, hiddenSize } = await model.trace(kept, { layers });
  const ids = fault === "other-ids" ? kept.map((tokenId) => tokenId + 1) : kept;
  const whole = `${path}.whole`;
  await writeSafetensors(whole, [
    {
      name: "hidden_states",
      dtype,
      shape: [kept.length, layers.length, hiddenSize],
      data: fault === "zero" ? new Float32Array(residuals.length) : residuals,
    },
    { name: "token_ids", dtype: "I64", shape: [ids.length], data: BigInt64Array.from(ids, BigInt) },
  ]);
  const bytes = await readFile(whole);
  await rm(whole);
  void writeBehind(path, bytes, fault);
  return path;
}

async function writeBehind(path: string, bytes: Buffer, fault: FileFault | null): Promise<void> {
  if (fault === "late") await delay(LATE_MS);
  const half = Math.floor(bytes.length / 2);
  const file = await open(path, "w");
  try {
    await file.write(bytes.subarray(0, half));
    if (fault === "truncated") return;
    await delay(fault === "late" ? LATE_MS : 1);
    await file.write(bytes.subarray(half));
  } finally {
    await file.close();
  }
}

/** `/pooling` with the task `token_embed`: the last layer after the final norm, a vector a token. */
export async function poolTokens(
  model: LanguageModel,
  name: string,
  body: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const tokenIds = body.input as readonly number[];
  const { finalNorms, hiddenSize } = await model.trace(tokenIds, { layers: [], finalNorm: true });
  const states = finalNorms as Float32Array;
  const data =
    body.encoding_format === "base64"
      ? Buffer.from(states.buffer, states.byteOffset, states.byteLength).toString("base64")
      : tokenIds.map((_, i) => [...states.subarray(i * hiddenSize, (i + 1) * hiddenSize)]);
  return {
    id: "pool-1",
    object: "list",
    created: 0,
    model: name,
    data: [{ index: 0, object: "pooling", data }],
    usage: { prompt_tokens: tokenIds.length, total_tokens: tokenIds.length },
  };
}
