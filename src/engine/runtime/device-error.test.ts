import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadModel } from "../../checkpoint/load-model.ts";
import { blameDevice, describeFailure, requireContent } from "./device-error.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));

describe("describeFailure", () => {
  it("leaves out the place in onnxruntime's sources", () => {
    const error = new Error(
      "/ort/webgpu_context.cc:136 Initialize(const Config&)::<lambda()> status == Success was false. Failed to get\n a WebGPU adapter",
    );
    expect(describeFailure(error)).toBe("Failed to get a WebGPU adapter");
    expect(describeFailure("plain.")).toBe("plain");
    expect(describeFailure("x".repeat(1000))).toHaveLength(300);
  });
});

it("blames a device for its errors, and not the processor", () => {
  const cause = new Error("CUDA failure 2: out of memory");
  expect(() => blameDevice("cpu", "failed", cause)).toThrow(cause);
  expect(() => blameDevice("cuda", "did not load the model", cause)).toThrow(
    expect.objectContaining({
      code: "device-unavailable",
      message: expect.stringMatching(
        /^The device cuda did not load the model: CUDA failure 2: out of memory\. /,
      ),
      cause,
    }),
  );
});

it("takes no single number for a result", () => {
  const varied = Float32Array.of(0, 0, 1);
  expect(requireContent("webgpu", varied)).toBe(varied);
  expect(() => requireContent("webgpu", new Float32Array(4))).toThrow(
    /^The device webgpu computed 4 times the same/,
  );
  expect(requireContent("cpu", new Float32Array(4))).toHaveLength(4);
});

it("names the device when it is gone by the time the model is loaded", async () => {
  // no platform has it; settled before, it is not tried again
  const gone = process.platform === "win32" ? "coreml" : "dml";
  const model = await loadModel(CHECKPOINT, { device: { name: gone } });
  expect(model.provenance.device).toBe(gone);
  expect(model.workers).toBe(1);
  await expect(model.trace([1, 2])).rejects.toMatchObject({
    code: "device-unavailable",
    message: expect.stringMatching(new RegExp(`^The device ${gone} did not load the model: `)),
  });
  await model[Symbol.asyncDispose]();
});
