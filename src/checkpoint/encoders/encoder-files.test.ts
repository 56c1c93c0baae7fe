import { expect, test } from "vitest";
import { detectCpu, quantisedExports } from "./encoder-files.ts";

test("each CPU gets its own file first, and never one that it would saturate on", () => {
  const first = (arch: string, ...flags: string[]): string | undefined =>
    quantisedExports({ arch, flags: new Set(flags) })[0];
  expect(first("x64", "avx2", "avx512f", "avx512_vnni")).toBe("onnx/model_qint8_avx512_vnni.onnx");
  expect(first("x64", "avx2", "avx512f")).toBe("onnx/model_quint8_avx2.onnx");
  expect(first("x64")).toBe("onnx/model_quint8_avx2.onnx");
  expect(first("arm64")).toBe("onnx/model_qint8_arm64.onnx");
  expect(quantisedExports({ arch: "x64", flags: new Set() })).not.toContain("onnx/model_qint8_arm64.onnx");
});

test("this machine has an architecture, and on Linux flags", async () => {
  const { arch, flags } = await detectCpu();
  expect(arch).toBe(process.arch);
  expect(flags.size > 10).toBe(process.platform === "linux");
});
