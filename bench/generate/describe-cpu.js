import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

/** Instruction sets that decide how fast a matrix product is, by the kernel's name of them. */
const FLAGS = {
  avx2: "AVX2",
  avx_vnni: "AVX-VNNI",
  avx512f: "AVX-512",
  avx512_vnni: "AVX-512 VNNI",
  avx512_bf16: "AVX-512 BF16",
  amx_int8: "AMX int8",
  amx_bf16: "AMX bfloat16",
};

/** The CPU's model, how many of its cores may be used, and its vector and matrix units. */
export function describeCpu() {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1].split(" ") ?? [];
  const has = Object.entries(FLAGS).filter(([flag]) => flags.includes(flag));
  const lacks = Object.entries(FLAGS).filter(([flag]) => !flags.includes(flag));
  const list = (pairs) => pairs.map(([, name]) => name).join(", ") || "nothing";
  return `${cpus()[0].model.trim()}, ${availableParallelism()} cores; has ${list(has)}; lacks ${list(lacks)}`;
}
