import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { SepError } from "../../errors.ts";
import { type Sleep, sleepFor } from "../../net/retry.ts";
import {
  countLayers,
  createRequestNames,
  type ExpectedFile,
  isSettled,
  readStatesFile,
} from "./states-file.ts";

/** The files of hidden states that servers write for the requests of one client. Each is deleted once it is read. */
export interface StatesInbox extends AsyncDisposable {
  /** A name for a request, which its file then bears. */
  nextName(): string;
  /**
   * Takes note of the file that a server names for a request, and so of the folder that it writes to.
   * @throws SepError `bad-states` for a file that may belong to another request
   */
  announce(name: string, path: string): Promise<void>;
  /**
   * Reads some tokens' states from a request's file, which may have been announced or not, and deletes it.
   * @returns per index: [layers, D]
   * @throws SepError `bad-states`
   */
  take(
    name: string,
    indices: readonly number[],
    expected: ExpectedFile,
    signal: AbortSignal | undefined,
  ): Promise<readonly Float32Array[]>;
  /**
   * How many layers a request's file has; it is deleted.
   * @throws SepError `bad-states`
   */
  countLayers(name: string, signal: AbortSignal | undefined): Promise<number>;
  /** Deletes a request's file unread, as soon as it is written. */
  discard(name: string): void;
}

interface StatesInboxOptions {
  /** How long after an answer its file may be written. */
  readonly waitMs?: number | undefined;
  readonly sleep?: Sleep | undefined;
}

/** A file of gigabytes on a slow disk. */
const WAIT_MS = 30_000;
/** Nobody waits for it, and a file that is given up stays until the end. */
const DISCARD_WAIT_MS = 120_000;
const POLL_MS = 10;

export function createStatesInbox({
  waitMs = WAIT_MS,
  sleep = sleepFor,
}: StatesInboxOptions = {}): StatesInbox {
  const names = createRequestNames();
  const folders = new Set<string>();
  /** By the name of their request. */
  const announced = new Map<string, string>();
  const discarded = new Set<Promise<void>>();
  const end = new AbortController();

  /** Waits for a file to be there, or to have been begun. */
  const locate = async (name: string, untilMs: number, signal: AbortSignal | undefined): Promise<string> => {
    for (;;) {
      const path = announced.get(name) ?? (await names.find(folders, name));
      if (path !== null) return path;
      if (performance.now() >= untilMs)
        throw new SepError(
          "bad-states",
          `No file of hidden states for the request ${name} has come to ${[...folders].join(", ") || "any folder that a server named"} within ${waitMs / 1_000} s. Is the server's folder visible from here?`,
        );
      await sleep(POLL_MS, signal);
    }
  };
  const remove = async (name: string, path: string): Promise<void> => {
    announced.delete(name);
    await rm(path, { force: true });
    await rm(`${path}.lock`, { force: true });
  };
  /** Waits for a file to be whole. */
  const settle = async (name: string, forMs: number, signal: AbortSignal | undefined): Promise<string> => {
    const untilMs = performance.now() + forMs;
    const path = await locate(name, untilMs, signal);
    while (!(await isSettled(path)) && performance.now() < untilMs) await sleep(POLL_MS, signal);
    return path;
  };
  const removeOnceWritten = async (name: string): Promise<void> => {
    await remove(name, await settle(name, DISCARD_WAIT_MS, end.signal));
  };
  return {
    nextName: names.next,
    async announce(name, path) {
      if (!names.isOf(path, name))
        throw new SepError(
          "bad-states",
          `The server named ${path} for its hidden states, expected a safetensors file with the request's id ${name} in its name: files that may belong to other requests are neither read nor deleted.`,
        );
      const folder = dirname(path);
      announced.set(name, path);
      if (folders.has(folder)) return;
      folders.add(folder);
      await names.sweepDead(folder);
    },
    async take(name, indices, expected, signal) {
      const untilMs = performance.now() + waitMs;
      const path = await locate(name, untilMs, signal);
      try {
        const options = { waitMs: Math.max(0, untilMs - performance.now()), sleep, signal };
        return await readStatesFile(path, indices, expected, options);
      } finally {
        await remove(name, path);
      }
    },
    async countLayers(name, signal) {
      const untilMs = performance.now() + waitMs;
      const path = await locate(name, untilMs, signal);
      try {
        return await countLayers(path, {
          waitMs: Math.max(0, untilMs - performance.now()),
          sleep,
          signal,
        });
      } finally {
        await remove(name, path);
      }
    },
    discard(name) {
      // one that never comes is not missed, and what comes after the end is swept with the rest
      const removed = removeOnceWritten(name).catch(() => undefined);
      discarded.add(removed);
      void removed.then(() => discarded.delete(removed));
    },
    async [Symbol.asyncDispose]() {
      end.abort();
      await Promise.all(discarded);
      for (const folder of folders) await names.sweepOwn(folder);
    },
  };
}
