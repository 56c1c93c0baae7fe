import { resolveDevice, tryDevice } from "../../checkpoint/resolve-device.ts";
import type { DeviceTrial } from "../../engine/runtime/compare-devices-node.ts";
import { AUTO_DEVICES, DEVICE_NAMES, DEVICES, type DeviceName } from "../../engine/runtime/device.ts";
import { ortNode } from "../../engine/runtime/ort-node.ts";
import { type Check, oneLine } from "./check.ts";

/** onnxruntime, and what it can compute on here. */
export async function checkEngine(attempt: typeof tryDevice = tryDevice): Promise<Check[]> {
  const trials = new Map(
    await Promise.all(
      DEVICE_NAMES.map(async (device) => [device, await tryKindly(device, attempt)] as const),
    ),
  );
  const auto = await resolveDevice("auto", {
    attempt: async (device) => trials.get(device) as DeviceTrial,
  });
  return [
    { name: ortNode.name, status: "ok", detail: ortNode.version },
    ...[...trials].map(([device, trial]) => describeTrial(device, trial)),
    { name: "device auto", status: "ok", detail: `${auto.name}; it tries ${AUTO_DEVICES.join(", ")}, cpu` },
  ];
}

/** An embedded model that is damaged is reported by its own check too. */
async function tryKindly(device: DeviceName, attempt: typeof tryDevice): Promise<DeviceTrial> {
  try {
    return await attempt(device);
  } catch (error) {
    return { works: false, reason: oneLine(error) };
  }
}

function describeTrial(device: DeviceName, trial: DeviceTrial): Check {
  const name = `device ${device}`;
  if (trial.works) {
    const compared =
      device === "cpu" ? "" : `, at most ${trial.error.toExponential(1)} of its scale off the cpu`;
    return { name, status: "ok", detail: `computes the embedded model${compared}` };
  }
  return {
    name,
    status: device === "cpu" ? "broken" : "absent",
    detail: trial.reason,
    advice: `Needs ${DEVICES[device].needs}.`,
  };
}
