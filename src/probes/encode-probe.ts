import { encodeSafetensors } from "../formats/encode-safetensors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { PROBE_FORMAT } from "./parse-probe.ts";
import type { Probe, UntrainedProbe } from "./probe.ts";
import { splitProbe } from "./split-probe.ts";

/** The content of a probe's two files, which `parseProbe` reads. */
export interface EncodedProbe {
  /** Of `*.safetensors`; without tensors if the probe is untrained. */
  readonly weights: Uint8Array;
  /**
   * The text of `*.json`.
   * @param stored name and SHA-256 of the file that the weights are in
   */
  describe(stored: { readonly file: string; readonly sha256: string }): string;
}

export function encodeProbe(probe: Probe | UntrainedProbe): EncodedProbe {
  const { description, tensors } =
    probe.kind === "untrained"
      ? { description: { ...probe } as unknown as Record<string, Json>, tensors: [] }
      : splitProbe(probe);
  return {
    weights: encodeSafetensors(tensors.map((tensor) => ({ ...tensor, dtype: "F32" }))),
    describe: (weights) => `${stableStringify({ ...PROBE_FORMAT, ...description, weights }, 2)}\n`,
  };
}
