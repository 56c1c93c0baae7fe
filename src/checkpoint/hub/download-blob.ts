import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { SepError } from "../../errors.ts";
import { backoffMs } from "../../net/retry.ts";
import { describeLoss } from "../../net/send-once.ts";
import type { Hub, PullEvent } from "./hub.ts";
import type { HubFile } from "./read-model-info.ts";
import { DEFAULT_TRIES, type HubResponse, sendToHub } from "./send-to-hub.ts";

/** Where a download goes. */
interface BlobTarget {
  /** Where the content goes once it is complete and verified. */
  readonly blob: string;
  /** The partial download, which an interrupted one resumes from. */
  readonly incomplete: string;
}

/** Bytes between two events: often enough for a progress bar on a slow line, rarely enough to cost nothing. */
const REPORT_BYTES = 256 * 1024;

/**
 * Downloads a file's content, resuming where an earlier try stopped, verifies its size and hash, and moves it into
 * place. The caller holds the lock.
 * @throws SepError `download-damaged`, and as `sendToHub`; what was received stays for the next try unless it is
 *   damaged
 */
export async function* downloadBlob(
  hub: Hub,
  source: HubFile,
  target: BlobTarget,
  signal?: AbortSignal,
): AsyncGenerator<PullEvent, void> {
  const file = await open(target.incomplete, "a+");
  try {
    // A damaged leftover of an earlier process is worth a second try; a file that was damaged on its way here is not.
    const leftover = (await file.stat()).size > 0;
    const damage = yield* fill(hub, source, target, file, signal);
    if (damage !== null && leftover) {
      yield { kind: "note", message: `${source.file}: the partial download is damaged, starting again` };
      await file.truncate(0);
    }
    const again = damage !== null && leftover ? yield* fill(hub, source, target, file, signal) : damage;
    if (again !== null) {
      await rm(target.incomplete, { force: true });
      throw new SepError(
        "download-damaged",
        `${source.file} of ${source.id.repo} ${again}, so it was dropped. Try again; if it keeps failing, a proxy or the mirror in HF_ENDPOINT (${hub.settings.endpoint}) may be changing files.`,
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
      // the server does not resume: its answer, if any, starts at the first byte
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
      if (received > sizeBytes) return `is larger than the ${sizeBytes} bytes that the Hub states`;
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
        `${source.file} of ${source.id.repo} breaks off after ${received} of ${sizeBytes} bytes (${loss}), ${DEFAULT_TRIES} times in a row. Try again later: the download resumes from there.`,
      );
    }
    const waitMs = backoffMs(failures);
    yield {
      kind: "note",
      message: `${source.file}: ${loss}; resuming after ${received} of ${sizeBytes} bytes`,
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

/** The first byte that an answer holds; null if it holds none of the file. */
function startOf({ status, headers }: HubResponse): number | null {
  if (status === 200) return 0;
  const start = /^bytes (\d+)-/.exec(headers.get("content-range") ?? "")?.[1];
  return status === 206 && start !== undefined ? Number(start) : null;
}

/** The body, if it continues where the file ends, and then the reason why it stopped. */
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

/** Verifies content against the hash that the hub names it by. */
interface BlobHash {
  update(bytes: Uint8Array): void;
  /** Call once, after the last byte. */
  matches(): boolean;
}

/**
 * The hub names large files by their SHA-256 and small ones by git's SHA-1 of a blob.
 * @param sizeBytes of the whole content
 * @returns null for a name that is not a hash
 * @see https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
 */
function createBlobHash(etag: string, sizeBytes: number): BlobHash | null {
  const algorithm = /^[0-9a-f]{64}$/.test(etag) ? "sha256" : /^[0-9a-f]{40}$/.test(etag) ? "sha1" : null;
  if (algorithm === null) return null;
  const hash = createHash(algorithm);
  if (algorithm === "sha1") hash.update(`blob ${sizeBytes}\0`);
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    matches: () => hash.digest("hex") === etag,
  };
}
