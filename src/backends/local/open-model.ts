import { type LoadModelOptions, loadModel } from "../../checkpoint/load-model.ts";
import { locateCheckpoint } from "../../checkpoint/locate-checkpoint.ts";
import { type OpeningEvent, reportPull } from "../../checkpoint/opening-event.ts";
import { type Device, type ResolveDeviceOptions, resolveDevice } from "../../checkpoint/resolve-device.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import type { DeviceChoice } from "../../engine/runtime/device.ts";

export type OpenModelOptions = Pick<
  LoadModelOptions,
  "threads" | "dtype" | "device" | "memoryBytes" | "hub" | "signal"
>;

/**
 * `loadModel` with events: a model on the hub that is not in the cache is downloaded first.
 * @throws SepError as `locateCheckpoint` and `loadModel` do
 */
export async function* openModel(
  reference: string,
  { hub, signal, ...options }: OpenModelOptions = {},
): AsyncGenerator<OpeningEvent, LanguageModel> {
  // before the download: without its device the model is of no use
  const device = yield* openDevice(options.device, { dtype: options.dtype });
  const { path, commit } = yield* reportPull(reference, locateCheckpoint(reference, { hub, signal }));
  return loadModel(path, { ...options, signal, device, name: { id: reference, revision: commit } });
}

/**
 * `resolveDevice` with events: says which device `auto` is.
 * @throws SepError as `resolveDevice` does
 */
export async function* openDevice(
  asked: DeviceChoice | Device | undefined,
  options?: ResolveDeviceOptions,
): AsyncGenerator<OpeningEvent, Device> {
  const device = await resolveDevice(asked, options);
  if (asked === "auto") {
    yield { kind: "note", step: "device", part: "", message: `auto is ${device.name} on this machine` };
  }
  return device;
}
