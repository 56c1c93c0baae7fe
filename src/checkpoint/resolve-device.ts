import { findArchitecture } from "../engine/graph/architectures/registry.ts";
import { buildDecoder } from "../engine/graph/build-decoder.ts";
import type { DecoderConfig } from "../engine/graph/decoder-config.ts";
import { compareWithCpu, type DeviceTrial, whyUnsupported } from "../engine/runtime/compare-devices-node.ts";
import {
  AUTO_DEVICES,
  DEVICES,
  type DeviceChoice,
  type DeviceName,
  deviceUnavailable,
  type ModelDtype,
} from "../engine/runtime/device.ts";
import { createDecoderFeeds, type DecoderPass } from "../engine/session/decoder-feeds.ts";
import { createKvBlock, emptyKvBlock } from "../engine/session/kv-block.ts";
import { SepError } from "../errors.ts";
import { createRng } from "../math/rng.ts";
import { findCheckpoint } from "./find-checkpoint.ts";
import { createGraphFolder } from "./graph-folder.ts";
import { POCKET_MODEL } from "./locate-checkpoint.ts";
import type { OpeningEvent } from "./opening-event.ts";

/** A device that works on this machine; made by {@link resolveDevice}. */
export interface Device {
  readonly name: DeviceName;
}

export interface ResolveDeviceOptions {
  /** What the device must compute in. */
  readonly dtype?: ModelDtype | undefined;
  /**
   * How a device is tried.
   * @internal
   */
  readonly attempt?: (device: DeviceName) => Promise<DeviceTrial>;
}

/**
 * Chooses the device. A device other than the CPU is tried first; `auto` is the first of `AUTO_DEVICES`
 * that works and has the dtype, else the CPU. A device that was resolved before is not tried again.
 * @throws SepError `device-unavailable` for a device that does not work here; `bad-option` for a dtype that it lacks
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

/** Whether a device computes in a dtype. */
export const hasDtype = (device: DeviceName, dtype: ModelDtype): boolean => {
  const { dtypes } = DEVICES[device];
  return dtypes === "all" || dtypes.includes(dtype);
};

const lacksDtype = (device: DeviceName, dtype: ModelDtype): SepError =>
  new SepError(
    "bad-option",
    `Got --dtype ${dtype} with --device ${device}, expected float32 there: ${dtype} runs on the CPU only.`,
  );

/**
 * `resolveDevice` with events, which name the device that `auto` selects.
 * @throws SepError as `resolveDevice` does
 */
export async function* openDevice(
  asked: DeviceChoice | Device | undefined,
  options?: ResolveDeviceOptions,
): AsyncGenerator<OpeningEvent, Device> {
  const device = await resolveDevice(asked, options);
  if (asked === "auto") {
    yield { kind: "note", step: "device", part: "", message: `auto selects ${device.name} on this machine` };
  }
  return device;
}

/**
 * Computes the embedded model on a device and on the CPU and compares the two.
 * @throws SepError `bad-checkpoint` when the embedded model is damaged
 */
export async function tryDevice(device: DeviceName): Promise<DeviceTrial> {
  const unsupported = whyUnsupported(device);
  if (unsupported !== null) return { works: false, reason: unsupported };
  const checkpoint = await findCheckpoint(POCKET_MODEL);
  const architecture = findArchitecture(checkpoint.config);
  const config = architecture.readConfig(checkpoint.config);
  const createFolder = (name: DeviceName) => {
    const { operators } = DEVICES[name];
    return createGraphFolder(buildDecoder(architecture, config, checkpoint.weights, { operators }).model);
  };
  await using reference = await createFolder("cpu");
  await using own = await createFolder(device);
  const createFeeds = createDecoderFeeds(config);
  const passes = await Promise.all([prefill(config), decoding(config)].map(createFeeds));
  return await compareWithCpu(device, {
    modelPath: own.modelPath,
    referencePath: reference.modelPath,
    passes: passes.map((feeds) => Object.entries(feeds)),
  });
}

/** A prompt: nothing comes before it. */
function prefill(config: DecoderConfig): DecoderPass {
  const tokenIds = Array.from({ length: 12 }, (_, i) => (i * 37 + 11) % config.vocabularySize);
  return {
    ...READ_ALL,
    tokenIds,
    rows: 1,
    prefix: emptyKvBlock(config, 1),
    suffix: emptyKvBlock(config, 1),
    logitRows: tokenIds.map((_, i) => i),
    traceRows: tokenIds.map((_, i) => i),
  };
}

/** The next token of three samples of two prompts, with keys and values of the size that normed heads have. */
function decoding(config: DecoderConfig): DecoderPass {
  const rows = [0, 1, 2];
  const rng = createRng("trial");
  const invent = (size: number): Float32Array =>
    Float32Array.from({ length: size }, () => 2 * rng.next() - 1);
  return {
    ...READ_ALL,
    tokenIds: rows.map((row) => row + 5),
    rows: rows.length,
    prefix: createKvBlock(config, { lengths: [7, 5], capacity: 8 }, invent),
    groupOf: [0, 1, 0],
    suffix: createKvBlock(config, { lengths: [3, 1, 2], capacity: 4 }, invent),
    logitRows: rows,
    traceRows: rows,
  };
}

/** The graph computes every output; which of them are fetched is the session's business. */
const READ_ALL = { layers: [], finalNorm: true, kv: null };
