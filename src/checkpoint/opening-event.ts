import { formatBytes } from "../text/format-numbers.ts";
import type { PullEvent } from "./hub/hub.ts";

/** How far something has got. A progress bar, the notebook and a server render the same events. */
export type ProgressEvent<Activity extends string> =
  /** `done` of `total` units were there before. The unit "byte" is shown as megabytes. */
  | {
      readonly kind: "started";
      readonly step: Activity;
      readonly part: string;
      readonly unit: string;
      readonly done: number;
      readonly total: number;
    }
  | {
      readonly kind: "advanced";
      readonly step: Activity;
      readonly part: string;
      readonly done: number;
      readonly total: number;
      readonly detail?: string;
    }
  | {
      readonly kind: "note";
      readonly step: Activity;
      readonly part: string;
      readonly message: string;
      /** The numbers of the message, for programs. */
      readonly figures?: Readonly<Record<string, number>>;
    };

/**
 * What happens before a model can be used: its download, the choice of a device or a dtype, the reading of its weights, the
 * trial of how the machine runs it fastest, the start of a server.
 */
export type OpeningEvent = ProgressEvent<"download" | "device" | "dtype" | "load" | "plan" | "server">;

/** Turns sentences about a server's start into events. */
export async function* reportServer<Result>(
  messages: AsyncGenerator<string, Result>,
  part = "",
): AsyncGenerator<OpeningEvent, Result> {
  try {
    for (;;) {
      const next = await messages.next();
      if (next.done) return next.value;
      yield { kind: "note", step: "server", part, message: next.value };
    }
  } finally {
    await messages.return(undefined as Result);
  }
}

/**
 * Turns a download's events into those of an activity "download", counted in bytes over all of its files.
 * @param part what is downloaded, for the display
 */
export async function* reportPull<Result>(
  part: string,
  events: AsyncGenerator<PullEvent, Result>,
): AsyncGenerator<OpeningEvent, Result> {
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
        if (total === 0) continue; // nothing to download is nothing to show
        const missing = formatBytes(total - sum(received));
        yield {
          kind: "note",
          ...event,
          message: `downloading ${missing} from ${pull.source} into ${pull.folder}`,
        };
        yield { kind: "started", ...event, unit: "byte", done: sum(received), total };
      } else if (planned) {
        received.set(pull.file, pull.receivedBytes);
        yield { kind: "advanced", ...event, done: sum(received), total, detail: pull.file };
      }
    }
  } finally {
    await events.return(undefined as Result);
  }
}

/**
 * Turns the bytes read of a model's weights into events of the activity "load". Weights read in one go yield none.
 * @param part what is loaded, for the display
 */
export async function* reportReading<Result>(
  part: string,
  total: number,
  reading: AsyncGenerator<number, Result>,
): AsyncGenerator<OpeningEvent, Result> {
  const event = { step: "load", part } as const;
  let done = 0;
  for (;;) {
    const next = await reading.next();
    if (next.done) {
      if (done > 0 && done < total) yield { kind: "advanced", ...event, done: total, total };
      return next.value;
    }
    if (done === 0) yield { kind: "started", ...event, unit: "byte", done: 0, total };
    // the files have headers, too
    done = Math.min(total, done + next.value);
    yield { kind: "advanced", ...event, done, total };
  }
}

const sum = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((total, count) => total + count, 0);
