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

/** What onnxruntime says went wrong, on one line, without the place in its sources and the condition that failed. */
export function describeFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const reason = message
    .replace(/\s+/g, " ")
    .replace(/^.* was false\.? ?/, "")
    .trim();
  return reason.length <= LONGEST_REASON ? reason : `${reason.slice(0, LONGEST_REASON - 1)}…`;
}

const LONGEST_REASON = 300;
