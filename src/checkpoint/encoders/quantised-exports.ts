import { readIfThere } from "../../store/read-file.ts";

/** A processor, as far as the choice of a quantised model depends on it. */
export interface Processor {
  /** As `process.arch` names it. */
  readonly arch: string;
  /** Instruction sets, as Linux names them; empty where the system does not tell. */
  readonly flags: ReadonlySet<string>;
}

/**
 * Quantised exports that suit a processor, the fastest first. x86 processors without VNNI multiply unsigned weights exactly,
 * and signed ones only once they are converted (see `exactIntegerSettings`), so those get the file with unsigned ones. The last two are of exports for no processor in particular.
 * @see sentence-transformers' `export_dynamic_quantized_onnx_model` and transformers.js, which name their files so
 */
export function quantisedExports({ arch, flags }: Processor): readonly string[] {
  const own =
    arch === "arm64"
      ? ["model_qint8_arm64"]
      : [...(flags.has("avx512_vnni") ? ["model_qint8_avx512_vnni"] : []), "model_quint8_avx2"];
  return [...own, "model_quantized", "model_int8"].map((name) => `onnx/${name}.onnx`);
}

/** This machine's processor. Only Linux tells the instruction sets in a file; elsewhere they count as missing. */
export async function detectProcessor(): Promise<Processor> {
  const text = (await readIfThere("/proc/cpuinfo")) ?? "";
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1] ?? "";
  return { arch: process.arch, flags: new Set(flags.split(" ").filter(Boolean)) };
}
