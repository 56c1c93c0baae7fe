import { SepError } from "../../errors.ts";
import { AUTO_DEVICES, DEVICES, type DeviceChoice, type DeviceName, type ModelDtype } from "./device.ts";
import { deviceUnavailable } from "./device-error.ts";
import { type DeviceTrial, tryDevice } from "./try-device.ts";

/** A device that works on this machine; made by {@link resolveDevice}. */
export interface Device {
  readonly name: DeviceName;
}

export interface ResolveDeviceOptions {
  /** Arithmetic that the device must have. */
  readonly dtype?: ModelDtype | undefined;
  /** How a device is tried. */
  readonly attempt?: (device: DeviceName) => Promise<DeviceTrial>;
}

/**
 * Settles what to compute on. A device other than the processor is tried first; `auto` is the first of
 * {@link AUTO_DEVICES} that works and has the arithmetic, else the processor. What was settled before stays.
 * @throws SepError `device-unavailable` for a device that does not work here; `bad-option` for arithmetic that it lacks
 */
export async function resolveDevice(
  asked: DeviceChoice | Device = "cpu",
  { dtype = "float32", attempt = tryDevice }: ResolveDeviceOptions = {},
): Promise<Device> {
  if (asked === "auto") {
    for (const name of AUTO_DEVICES) {
      if (hasDtype(name, dtype) && (await attempt(name)).works) return { name };
    }
    return { name: "cpu" };
  }
  const device = typeof asked === "string" ? { name: asked } : asked;
  if (!hasDtype(device.name, dtype)) throw lacksDtype(device.name, dtype);
  if (device === asked || device.name === "cpu") return device;
  const trial = await attempt(device.name);
  if (!trial.works) throw deviceUnavailable(device.name, `cannot be used: ${trial.reason}`);
  return device;
}

const hasDtype = (device: DeviceName, dtype: ModelDtype): boolean => {
  const { dtypes } = DEVICES[device];
  return dtypes === "all" || dtypes.includes(dtype);
};

const lacksDtype = (device: DeviceName, dtype: ModelDtype): SepError =>
  new SepError(
    "bad-option",
    `Got --dtype ${dtype} with --device ${device}, expected float32 there: ${dtype} is computed on the cpu only.`,
  );
