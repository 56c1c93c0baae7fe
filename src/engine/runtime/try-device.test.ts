import { fileURLToPath } from "node:url";
import { listSupportedBackends } from "onnxruntime-node";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DEVICE_NAMES, type DeviceName } from "./device.ts";
import { type DeviceTrial, tryDevice } from "./try-device.ts";

const listed = new Set(listSupportedBackends().map(({ name }) => name));
const others = DEVICE_NAMES.filter((device) => device !== "cpu");
const present = others.find((device) => listed.has(device));
const missing = others.find((device) => !listed.has(device));
const FAKE = fileURLToPath(new URL("../../../test/fakes/fake-device.cjs", import.meta.url));

afterEach(() => vi.unstubAllEnvs());

it("finds that the processor computes what the processor computes", async () => {
  expect(await tryDevice("cpu")).toEqual({ works: true, error: 0 });
});

it("does not start what onnxruntime has not been built with", async () => {
  // no platform's build has both DirectML and Core ML
  const { platform, arch } = process;
  const reason = `onnxruntime-node has no ${missing} for ${platform} ${arch}`;
  expect(await tryDevice(missing as DeviceName)).toEqual({ works: false, reason });
});

describe.skipIf(present === undefined)("a device that", () => {
  const tryFake = (behaviour: string): Promise<DeviceTrial> => {
    vi.stubEnv("NODE_OPTIONS", `--require "${FAKE}"`);
    vi.stubEnv("FAKE_DEVICE", behaviour);
    return tryDevice(present as DeviceName);
  };

  it("computes the same but for rounding works", async () => {
    const trial = await tryFake("exact");
    // the graph of a graphics card, on the processor: other operators for the same sums
    expect(trial).toEqual({ works: true, error: expect.any(Number) });
    expect(trial.works && trial.error).toBeLessThan(1e-5);
  });

  it("computes in half precision does not", async () => {
    const reason = expect.stringMatching(/with an error of 2\.\de-3 of its scale, expected at most 0\.001$/);
    expect(await tryFake("half")).toEqual({ works: false, reason });
  });

  it("computes no numbers does not", async () => {
    expect(await tryFake("lost")).toEqual({
      works: false,
      reason: "it computes the embedded model to no numbers",
    });
  });

  it("fails says why, and which library is missing", async () => {
    expect(await tryFake("broken")).toEqual({ works: false, reason: "It has no card: libcu.so.9: gone" });
  });

  it("takes its process down does not take this one", async () => {
    expect(await tryFake("dead")).toEqual({
      works: false,
      reason: expect.stringMatching(/^it takes the process down, which ended with (SIGABRT|code \d+)$/),
    });
  });
});
