import { SepError } from "../../errors.ts";
import { acquireLock } from "../../store/lock.ts";
import type { Hub } from "./hub.ts";
import type { PullNote } from "./pull-event.ts";
import { sizeIfThere } from "./size-if-there.ts";

/** How often a lock that is held is tried again. */
const POLL_MS = 500;
/** A holder that receives nothing for two minutes has had its own tries by then. */
const PATIENT_POLLS = 240;

/**
 * Takes the lock of a download; while another process holds it and its download grows, waits.
 * @param growing the file that the holder writes
 * @throws SepError `output-locked` when the holder makes no progress
 */
export async function* waitForLock(
  { sleep }: Hub,
  lock: string,
  growing: string,
  file: string,
  signal?: AbortSignal,
): AsyncGenerator<PullNote, AsyncDisposable> {
  let lastSize = -1;
  for (let polls = 0; ; polls++) {
    signal?.throwIfAborted();
    try {
      return await acquireLock(lock);
    } catch (error) {
      if (!(error instanceof SepError) || error.code !== "output-locked") throw error;
      const size = (await sizeIfThere(growing)) ?? 0;
      if (size !== lastSize) polls = 0;
      else if (polls >= PATIENT_POLLS) throw error;
      if (lastSize === -1) yield { kind: "note", message: `${file}: is being downloaded already, waiting` };
      lastSize = size;
    }
    await sleep(POLL_MS, signal);
  }
}
