import type { PullEvent } from "../../checkpoint/hub/pull-event.ts";
import { type LoadModelOptions, loadModel } from "../../checkpoint/load-model.ts";
import { locateCheckpoint } from "../../checkpoint/locate-checkpoint.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import type { StepEvent } from "../../study/step.ts";
import { settleDevice } from "./settle-device.ts";

export type OpenModelOptions = Pick<
  LoadModelOptions,
  "threads" | "dtype" | "device" | "memoryBytes" | "hub" | "signal"
>;

/**
 * `loadModel` for steps: a model of the hub that is not in the cache is downloaded first, with events of its own
 * that the progress display shows like any step's.
 * @throws SepError as `locateCheckpoint` and `loadModel` do
 */
export async function* openModel(
  reference: string,
  { hub, signal, ...options }: OpenModelOptions = {},
): AsyncGenerator<StepEvent, LanguageModel> {
  // before the download: without its device the model is of no use
  const device = yield* settleDevice(options.device, { dtype: options.dtype });
  const { path, commit } = yield* reportPull(reference, locateCheckpoint(reference, { hub, signal }));
  return loadModel(path, { ...options, signal, device, name: { id: reference, revision: commit } });
}

/**
 * A download's events as those of an activity "download", counted in bytes over all of its files.
 * @param part what is downloaded, for the display
 */
export async function* reportPull<Result>(
  part: string,
  events: AsyncGenerator<PullEvent, Result>,
): AsyncGenerator<StepEvent, Result> {
  const event = { step: "download", part } as const;
  const received = new Map<string, number>();
  let total = 0;
  let planned = false;
  try {
    for (;;) {
      const next = await events.next();
      if (next.done) return next.value;
      const pull = next.value;
      if (pull.kind === "note") {
        yield { kind: "note", ...event, message: pull.message };
      } else if (pull.kind === "planned") {
        total = pull.totalBytes;
        planned = true;
        for (const { file, receivedBytes } of pull.files) received.set(file, receivedBytes);
        // nothing to download is nothing to show
        if (total > 0) yield { kind: "started", ...event, unit: "byte", done: sum(received), total };
      } else if (planned) {
        received.set(pull.file, pull.receivedBytes);
        yield { kind: "advanced", ...event, done: sum(received), total, detail: pull.file };
      }
    }
  } finally {
    await events.return(undefined as Result);
  }
}

const sum = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((total, count) => total + count, 0);
