import { describe, expect, it } from "vitest";
import { DEVICE_NAMES } from "../../engine/runtime/device.ts";
import { checkEngine } from "./check-engine.ts";

const names = ["onnxruntime-node", ...DEVICE_NAMES.map((device) => `device ${device}`), "device auto"];

describe("checkEngine", () => {
  it("finds onnxruntime and computes the embedded model on the CPU", async () => {
    const checks = await checkEngine();
    expect(checks.map(({ name }) => name)).toEqual(names);
    expect(checks[0]).toMatchObject({ status: "ok", detail: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    expect(checks[1]).toEqual({ name: "device cpu", status: "ok", detail: "computes the embedded model" });
    // Whatever else this machine has, it is at most absent: nothing but the CPU is needed.
    for (const { name, status, advice } of checks) {
      expect([name, status]).toEqual([name, expect.stringMatching(/ok|absent/)]);
      if (status === "absent") expect(advice).toMatch(/^Needs .+\.$/);
    }
  });

  it("says what each device lacks, and what auto takes", async () => {
    const checks = await checkEngine(async (device) =>
      ["cpu", "dml"].includes(device)
        ? { works: true, error: 1.26e-6 }
        : { works: false, reason: `no ${device}` },
    );
    expect(checks.slice(1)).toEqual([
      { name: "device cpu", status: "ok", detail: "computes the embedded model" },
      {
        name: "device cuda",
        status: "absent",
        detail: "no cuda",
        advice: expect.stringContaining("CUDA 12"),
      },
      {
        name: "device webgpu",
        status: "absent",
        detail: "no webgpu",
        advice: expect.stringContaining("Vulkan"),
      },
      {
        name: "device coreml",
        status: "absent",
        detail: "no coreml",
        advice: expect.stringContaining("macOS"),
      },
      {
        name: "device dml",
        status: "ok",
        detail: "computes the embedded model, at most 1.3e-6 of its scale off the cpu",
      },
      { name: "device auto", status: "ok", detail: "dml; it tries cuda, dml, cpu" },
    ]);
  });

  it("is broken when the CPU is", async () => {
    const checks = await checkEngine(() => Promise.reject(new Error("the model is\n damaged")));
    expect(checks[1]).toMatchObject({ status: "broken", detail: "the model is damaged" });
    expect(checks.at(-1)).toMatchObject({ detail: expect.stringMatching(/^cpu/) });
  });
});
