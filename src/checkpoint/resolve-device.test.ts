import { fileURLToPath } from "node:url";
import { listSupportedBackends } from "onnxruntime-node";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { DeviceTrial } from "../engine/runtime/compare-devices-node.ts";
import { AUTO_DEVICES, DEVICE_NAMES, type DeviceName } from "../engine/runtime/device.ts";
import { resolveDevice, tryDevice } from "./resolve-device.ts";

/** A machine with some devices; `tried` is what was tried on it. */
function createMachine(...working: readonly DeviceName[]) {
  const tried: DeviceName[] = [];
  const attempt = async (device: DeviceName): Promise<DeviceTrial> => {
    tried.push(device);
    return working.includes(device)
      ? { works: true, error: 1e-6 }
      : { works: false, reason: "no adapter found" };
  };
  return { tried, attempt };
}

describe("resolveDevice", () => {
  it("takes the CPU when nothing is asked for, without trying anything", async () => {
    const { tried, attempt } = createMachine();
    expect(await resolveDevice(undefined, { attempt })).toEqual({ name: "cpu" });
    expect(await resolveDevice("cpu", { attempt, dtype: "int8" })).toEqual({ name: "cpu" });
    expect(tried).toEqual([]);
  });

  it("takes a device that works, and does not try it again", async () => {
    const { tried, attempt } = createMachine("webgpu");
    const device = await resolveDevice("webgpu", { attempt });
    expect(device).toEqual({ name: "webgpu" });
    expect(await resolveDevice(device, { attempt })).toBe(device);
    expect(tried).toEqual(["webgpu"]);
  });

  it.each(DEVICE_NAMES.filter((name) => name !== "cpu"))(
    "refuses %s where it does not work, and never computes elsewhere",
    async (name) => {
      const { attempt } = createMachine("cpu");
      const refused = resolveDevice(name, { attempt });
      await expect(refused).rejects.toMatchObject({ code: "device-unavailable" });
      await expect(refused).rejects.toThrow(
        new RegExp(
          `^The device ${name} cannot be used: no adapter found\\. It needs .+\\. Leave --device out .*sep doctor`,
        ),
      );
    },
  );

  describe("auto", () => {
    it.each(AUTO_DEVICES.map((name, index) => [name, AUTO_DEVICES.slice(0, index + 1)] as const))(
      "is %s where that is the first to work",
      async (name, expected) => {
        const { tried, attempt } = createMachine(name, "webgpu", AUTO_DEVICES.at(-1) as DeviceName);
        expect(await resolveDevice("auto", { attempt })).toEqual({ name });
        expect(tried).toEqual(expected);
      },
    );

    it("is the CPU where none works; the others must be asked for", async () => {
      const { tried, attempt } = createMachine("webgpu", "coreml");
      expect(await resolveDevice("auto", { attempt })).toEqual({ name: "cpu" });
      expect(tried).toEqual(AUTO_DEVICES);
    });

    it("is the CPU for a dtype that only it has", async () => {
      const { tried, attempt } = createMachine("cuda");
      expect(await resolveDevice("auto", { attempt, dtype: "int8" })).toEqual({ name: "cpu" });
      expect(tried).toEqual([]);
    });
  });

  it("refuses int8 elsewhere, also on a device that was resolved before", async () => {
    const { tried, attempt } = createMachine("cuda");
    for (const asked of ["cuda", { name: "cuda" }] as const) {
      const refused = resolveDevice(asked, { attempt, dtype: "int8" });
      await expect(refused).rejects.toMatchObject({ code: "bad-option" });
      await expect(refused).rejects.toThrow(/^Got --dtype int8 with --device cuda, expected float32/);
    }
    expect(tried).toEqual([]);
  });
});

const listed = new Set(listSupportedBackends().map(({ name }) => name));
const others = DEVICE_NAMES.filter((device) => device !== "cpu");
const present = others.find((device) => listed.has(device));
const missing = others.find((device) => !listed.has(device));
const FAKE = fileURLToPath(new URL("../../test/fakes/fake-device.cjs", import.meta.url));

afterEach(() => vi.unstubAllEnvs());

it("finds that the CPU computes what the CPU computes", async () => {
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
    // the graph of a GPU, on the CPU: other operators for the same sums
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
