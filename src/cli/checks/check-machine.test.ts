import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkCpu, checkHuggingFaceCache, checkMemory, checkNode, checkWorkspace } from "./check-machine.ts";

describe("checkNode", () => {
  it.each([["20.19.0"], ["20.20.2"], ["22.0.0"], ["24.1.0"]])("accepts %s", (version) => {
    expect(checkNode(version).status).toBe("ok");
  });
  it.each([["20.18.3"], ["18.20.0"]])("refuses %s", (version) => {
    expect(checkNode(version)).toMatchObject({ status: "broken", advice: expect.stringContaining("20.19") });
  });
});

it("counts the threads that this process may use", () => {
  expect(checkCpu({ threads: 1_000_000, memoryBytes: 1 }).detail).toMatch(/^1000000 threads, /);
  expect(checkCpu({ threads: 0, memoryBytes: 1 }).detail).toMatch(/^0 threads of \d+, by the limits /);
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
