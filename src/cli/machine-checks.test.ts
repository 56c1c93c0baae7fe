import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DEVICE_NAMES } from "../engine/runtime/device.ts";
import {
  checkCpu,
  checkCudaLibraries,
  checkEngine,
  checkHuggingFaceCache,
  checkMemory,
  checkNode,
  checkWorkspace,
} from "./machine-checks.ts";

describe("checkNode", () => {
  it.each([["20.19.0"], ["20.20.2"], ["22.2.0"], ["24.1.0"]])("accepts %s", (version) => {
    expect(checkNode(version).status).toBe("ok");
  });
  it.each([["20.18.3"], ["18.20.0"], ["21.7.3"], ["22.1.0"]])("refuses %s", (version) => {
    expect(checkNode(version)).toMatchObject({ status: "broken", advice: expect.stringContaining("20.19") });
  });
});

it("counts the threads that this process may use", () => {
  expect(checkCpu({ threads: 1_000_000, memoryBytes: 1 }).detail).toMatch(/^1000000 threads, /);
  expect(checkCpu({ threads: 0, memoryBytes: 1 }).detail).toMatch(/^0 threads of \d+, limited by /);
});

it("warns of little memory", () => {
  expect(checkMemory(4e9, 8e9)).toEqual({ name: "memory", status: "ok", detail: "4.0 GB free of 8.0 GB" });
  expect(checkMemory(0.5e9, 8e9).status).toBe("warning");
});

describe("the Hugging Face cache", () => {
  it("may be absent", async () => {
    expect(await checkHuggingFaceCache({ HF_HUB_CACHE: tmpdir() })).toMatchObject({ status: "ok" });
    expect(await checkHuggingFaceCache({ HF_HUB_CACHE: "/nowhere" })).toMatchObject({ status: "absent" });
  });
});

it("looks at the folder that a new workspace would be made in", async () => {
  const path = join(tmpdir(), "not", "there", "yet");
  expect(await checkWorkspace(path)).toMatchObject({
    name: "workspace",
    detail: expect.stringContaining(path),
  });
});

describe("checkCudaLibraries", () => {
  const linux = { platform: "linux", arch: "x64" };
  it("says how to install where their download fails", async () => {
    expect(await checkCudaLibraries("/nowhere", linux)).toMatchObject([
      {
        status: "absent",
        advice: expect.stringMatching(/fails.*npm install --ignore-scripts/),
      },
    ]);
    expect(await checkCudaLibraries("/nowhere", { platform: "darwin", arch: "arm64" })).toEqual([]);
  });
  it("finds them", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sep-cuda-"));
    const libraries = join(folder, "bin/napi-v6/linux/x64");
    await mkdir(libraries, { recursive: true });
    await writeFile(join(libraries, "libonnxruntime_providers_cuda.so"), "");
    expect(await checkCudaLibraries(folder, linux)).toMatchObject([{ status: "ok" }]);
  });
});

const names = ["onnxruntime-node", ...DEVICE_NAMES.map((device) => `device ${device}`), "device auto"];

describe("checkEngine", () => {
  it("finds onnxruntime and computes the embedded model on the CPU", async () => {
    const checks = await checkEngine();
    expect(checks.map(({ name }) => name)).toEqual(names);
    expect(checks[0]).toMatchObject({ status: "ok", detail: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    expect(checks[1]).toEqual({ name: "device cpu", status: "ok", detail: "runs the embedded model" });
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
      { name: "device cpu", status: "ok", detail: "runs the embedded model" },
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
        detail: "runs the embedded model, within 1.3e-6 of the CPU's result, relative to its scale",
      },
      { name: "device auto", status: "ok", detail: "dml; tried in the order cuda, dml, cpu" },
    ]);
  });

  it("is broken when the CPU is", async () => {
    const checks = await checkEngine(() => Promise.reject(new Error("the model is\n damaged")));
    expect(checks[1]).toMatchObject({ status: "broken", detail: "the model is damaged" });
    expect(checks.at(-1)).toMatchObject({ detail: expect.stringMatching(/^cpu/) });
  });
});
