import { describe, expect, it } from "vitest";
import { AUTO_DEVICES, DEVICE_NAMES, type DeviceName } from "./device.ts";
import { resolveDevice } from "./resolve-device.ts";
import type { DeviceTrial } from "./try-device.ts";

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
  it("takes the processor when nothing is asked for, without trying anything", async () => {
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

    it("is the processor where none works; the others must be asked for", async () => {
      const { tried, attempt } = createMachine("webgpu", "coreml");
      expect(await resolveDevice("auto", { attempt })).toEqual({ name: "cpu" });
      expect(tried).toEqual(AUTO_DEVICES);
    });

    it("is the processor for arithmetic that only it has", async () => {
      const { tried, attempt } = createMachine("cuda");
      expect(await resolveDevice("auto", { attempt, dtype: "int8" })).toEqual({ name: "cpu" });
      expect(tried).toEqual([]);
    });
  });

  it("refuses int8 elsewhere, also on a device that was settled before", async () => {
    const { tried, attempt } = createMachine("cuda");
    for (const asked of ["cuda", { name: "cuda" }] as const) {
      const refused = resolveDevice(asked, { attempt, dtype: "int8" });
      await expect(refused).rejects.toMatchObject({ code: "bad-option" });
      await expect(refused).rejects.toThrow(/^Got --dtype int8 with --device cuda, expected float32/);
    }
    expect(tried).toEqual([]);
  });
});
