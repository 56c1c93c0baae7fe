import type { DeviceChoice } from "../../engine/runtime/device.ts";
import {
  type Device,
  type ResolveDeviceOptions,
  resolveDevice,
} from "../../engine/runtime/resolve-device.ts";
import type { StepEvent } from "../../study/step.ts";

/**
 * `resolveDevice` for steps: says what `auto` has come to.
 * @throws SepError as `resolveDevice` does
 */
export async function* settleDevice(
  asked: DeviceChoice | Device | undefined,
  options?: ResolveDeviceOptions,
): AsyncGenerator<StepEvent, Device> {
  const device = await resolveDevice(asked, options);
  if (asked === "auto") {
    yield { kind: "note", step: "device", part: "", message: `auto is ${device.name} on this machine` };
  }
  return device;
}
