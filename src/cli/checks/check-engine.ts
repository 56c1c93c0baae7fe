import { env as ortEnvironment } from "onnxruntime-node";
import { loadModel } from "../../checkpoint/load-model.ts";
import { POCKET_MODEL } from "../../checkpoint/locate-checkpoint.ts";
import { AUTO_DEVICES, DEVICE_NAMES, DEVICES, type DeviceName } from "../../engine/runtime/device.ts";
import { resolveDevice } from "../../engine/runtime/resolve-device.ts";
import { type DeviceTrial, tryDevice } from "../../engine/runtime/try-device.ts";

/** onnxruntime, and what it can compute on here. */
export async function checkEngine(attempt: typeof tryDevice = tryDevice): Promise<Check[]> {
  const version = ortEnvironment.versions.node ?? "unknown version";
  const trials = new Map(
    await Promise.all(
      DEVICE_NAMES.map(async (device) => [device, await tryKindly(device, attempt)] as const),
    ),
  );
  const auto = await resolveDevice("auto", {
    attempt: async (device) => trials.get(device) as DeviceTrial,
  });
  return [
    { name: "onnxruntime-node", status: "ok", detail: version },
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

/** Loads the embedded model and runs one forward pass. */
export async function checkPocket(signal: AbortSignal): Promise<Check> {
  const name = "embedded model";
  try {
    await using model = await loadModel(POCKET_MODEL);
    const { logits } = await model.prefill([0], { signal });
    if (!logits.every(Number.isFinite)) throw new Error("its logits are not finite numbers");
    const { blockCount, hiddenSize } = model.config;
    return {
      name,
      status: "ok",
      detail: `${blockCount} blocks of width ${hiddenSize}, one forward pass done`,
    };
  } catch (error) {
    return {
      name,
      status: "broken",
      detail: oneLine(error),
      advice: "Reinstall the package: its models/pocket/ is damaged or missing.",
    };
  }
}

/** One finding of `sep doctor`. */
export interface Check {
  readonly name: string;
  /**
   * `ok`; `absent`: an extra that is not there and that nothing fails without; `warning`: works, but something
   * may not; `broken`: `sep run` would fail.
   */
  readonly status: "ok" | "absent" | "warning" | "broken";
  readonly detail: string;
  /** What to do about it, unless it is ok. */
  readonly advice?: string;
}

/** An error's message on one line. */
export function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s+/g, " ").trim();
}
