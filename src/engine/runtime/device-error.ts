import { SepError } from "../../errors.ts";
import { DEVICES, type DeviceName } from "./device.ts";

/**
 * The error of a device that was asked for and does not do. Nothing is computed elsewhere in its place.
 * @param problem what is wrong, in the words of whoever noticed; follows "The device … "
 */
export function deviceUnavailable(device: DeviceName, problem: string, cause?: unknown): SepError {
  return new SepError(
    "device-unavailable",
    `The device ${device} ${problem}. It needs ${DEVICES[device].needs}. Leave --device out to compute on the processor; \`sep doctor\` shows which devices work here.`,
    { cause },
  );
}

/** Throws onnxruntime's error on, as one of the device unless that is the processor. */
export function blameDevice(device: DeviceName, problem: string, error: unknown): never {
  if (device === "cpu") throw error;
  throw deviceUnavailable(device, `${problem}: ${describeFailure(error)}`, error);
}

/**
 * What a device computed, unless it is one and the same number: onnxruntime writes a WebGPU device's lack of memory to
 * its log and goes on with buffers that are not there.
 */
export function requireContent(device: DeviceName, values: Float32Array): Float32Array {
  if (device === "cpu" || values.some((value) => value !== values[0])) return values;
  throw deviceUnavailable(
    device,
    `computed ${values.length} times the same number; its memory may not suffice`,
  );
}

/** What onnxruntime says went wrong, on one line, without the place in its sources and the condition that failed. */
export function describeFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const reason = message
    .replace(/\s+/g, " ")
    .replace(/^.* was false\.? ?/, "")
    .replace(/[. ]+$/, "");
  return reason.length <= LONGEST_REASON ? reason : `${reason.slice(0, LONGEST_REASON - 1)}…`;
}

const LONGEST_REASON = 300;
