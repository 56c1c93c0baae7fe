import { describe, expect, it } from "vitest";
import { checkEngine } from "./check-engine.ts";

describe("checkEngine", () => {
  it("finds onnxruntime and runs a graph on the CPU", async () => {
    const checks = await checkEngine();
    expect(checks[0]).toMatchObject({ name: "onnxruntime-node", status: "ok" });
    expect(checks[0]?.detail).toMatch(/^\d+\.\d+\.\d+/);
    expect(checks.find(({ name }) => name === "provider cpu")).toEqual({
      name: "provider cpu",
      status: "ok",
      detail: "runs a graph",
    });
    // Whatever else this machine has, it is at most absent: nothing but the CPU is needed.
    for (const { name, status } of checks)
      expect([name, status]).toEqual([name, expect.stringMatching(/ok|absent/)]);
    for (const { status, advice } of checks) if (status === "absent") expect(advice).toBeTruthy();
  });
});
