import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { SepError } from "../../errors.ts";
import { retryDelayMs } from "../../net/retry-delay.ts";
import { type BlobHash, createBlobHash } from "./blob-hash.ts";
import type { Hub } from "./hub.ts";
import type { HubFile } from "./inspect-file.ts";
import type { PullEvent } from "./pull-event.ts";
import { DEFAULT_TRIES, describeLoss, type HubResponse, sendToHub } from "./send-to-hub.ts";

/** Where a download goes. */
export interface BlobTarget {
  /** Takes the content's place when it is whole and checked. */
  readonly blob: string;
  /** Grows; an interrupted download goes on from its end. */
  readonly incomplete: string;
}

/** An event after this many bytes: often enough for a bar on a slow line, rarely enough to cost nothing. */
const REPORT_BYTES = 256 * 1024;

/**
 * Downloads a file's content, going on where an earlier try stopped, checks its size and hash, and moves it
 * into place. The caller holds the lock.
 * @throws SepError `download-damaged`, and as `sendToHub` does; what was received stays for the next try, unless
 *   it is damaged
 */
export async function* downloadBlob(
  hub: Hub,
  source: HubFile,
  target: BlobTarget,
  signal?: AbortSignal,
): AsyncGenerator<PullEvent, void> {
  const file = await open(target.incomplete, "a+");
  try {
    // What an earlier process left may be damaged; what this one received from the first byte on is not its fault.
    const leftover = (await file.stat()).size > 0;
    const damage = yield* fill(hub, source, target, file, signal);
    if (damage !== null && leftover) {
      yield { kind: "note", message: `${source.file}: what was there is damaged, starting again` };
      await file.truncate(0);
    }
    const again = damage !== null && leftover ? yield* fill(hub, source, target, file, signal) : damage;
    if (again !== null) {
      await rm(target.incomplete, { force: true });
      throw new SepError(
        "download-damaged",
        `${source.file} of ${source.id.repo} ${again}, so it was dropped. Try again; if it stays so, a proxy or the mirror in HF_ENDPOINT (${hub.settings.endpoint}) changes files.`,
      );
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(target.incomplete, target.blob);
}

/** Receives what is missing. @returns what is wrong with the content, or null */
async function* fill(
  hub: Hub,
  source: HubFile,
  target: BlobTarget,
  file: FileHandle,
  signal: AbortSignal | undefined,
): AsyncGenerator<PullEvent, string | null> {
  const { sizeBytes } = source;
  let received = (await file.stat()).size;
  if (received > sizeBytes) {
    await file.truncate(0);
    received = 0;
  }
  let hash = createBlobHash(source.etag, sizeBytes);
  if (received > 0) await replay(target.incomplete, hash);
  let failures = 0;
  while (received < sizeBytes) {
    const answer = yield* request(hub, source, received, signal);
    if (received > 0 && startOf(answer) !== received) {
      // the server does not resume: the answer, if there is one, begins at the beginning
      await file.truncate(0);
      received = 0;
      hash = createBlobHash(source.etag, sizeBytes);
    }
    const before = received;
    let reported = received;
    let loss = "";
    for await (const part of receive(answer, received, signal)) {
      if ("loss" in part) {
        loss = part.loss;
        break;
      }
      received += part.length;
      if (received > sizeBytes) return `is larger than the ${sizeBytes} bytes that the hub states`;
      await file.appendFile(part);
      hash?.update(part);
      if (received - reported >= REPORT_BYTES) {
        reported = received;
        yield report(source, received);
      }
    }
    if (received === sizeBytes) break;
    failures = received > before ? 1 : failures + 1;
    if (failures >= DEFAULT_TRIES) {
      throw new SepError(
        "download-damaged",
        `${source.file} of ${source.id.repo} breaks off after ${received} of ${sizeBytes} bytes (${loss}), ${DEFAULT_TRIES} times in a row. Try again later: the download goes on from there.`,
      );
    }
    const waitMs = retryDelayMs(failures, null);
    yield {
      kind: "note",
      message: `${source.file}: ${loss}; going on after ${received} of ${sizeBytes} bytes`,
    };
    await hub.sleep(waitMs, signal);
  }
  yield report(source, received);
  return hash === null || hash.matches() ? null : `does not have the checksum ${source.etag}`;
}

function request(
  hub: Hub,
  { id, file, url }: HubFile,
  received: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<PullEvent, HubResponse> {
  const headers: Record<string, string> = received > 0 ? { range: `bytes=${received}-` } : {};
  return sendToHub(hub, {
    method: "GET",
    url,
    headers,
    subject: { ...id, file },
    follow: "content",
    signal,
  });
}

/** Which byte an answer begins with; null if it has none of the file's. */
function startOf({ status, headers }: HubResponse): number | null {
  if (status === 200) return 0;
  const start = /^bytes (\d+)-/.exec(headers.get("content-range") ?? "")?.[1];
  return status === 206 && start !== undefined ? Number(start) : null;
}

/** The body, if it goes on where the file ends, and then why there is no more of it. */
async function* receive(
  answer: HubResponse,
  start: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array | { readonly loss: string }, void> {
  if (startOf(answer) !== start) {
    await answer.discard();
    yield { loss: `the server answered ${answer.status} for the bytes from ${start} on` };
    return;
  }
  try {
    yield* answer.read();
  } catch (error) {
    signal?.throwIfAborted();
    yield { loss: describeLoss(error) };
    return;
  }
  yield { loss: "the connection ended early" };
}

async function replay(path: string, hash: BlobHash | null): Promise<void> {
  if (hash === null) return;
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
}

const report = (source: HubFile, receivedBytes: number): PullEvent => ({
  kind: "received",
  file: source.file,
  receivedBytes,
  totalBytes: source.sizeBytes,
});
