import { explainNoHub } from "./fetch-json.ts";
import type { Hub } from "./hub.ts";
import type { HubModelId } from "./hub-model-id.ts";
import type { PullNote } from "./pull-event.ts";
import { sendToHub } from "./send-to-hub.ts";

/** A file of one commit on the hub. */
export interface HubFile {
  readonly id: HubModelId;
  readonly commit: string;
  /** Its name, with its folder. */
  readonly file: string;
  /** Names the content, and the blob in the cache: SHA-256 of large files, git's SHA-1 of small ones. */
  readonly etag: string;
  readonly sizeBytes: number;
  /** On the hub; leads to the content, wherever that is stored. */
  readonly url: string;
}

/**
 * Asks for a file's name and size as content. For large files the hub says them in headers of its own on the
 * answer that leads to the storage server, whose `ETag` is another.
 * @throws SepError `hub-unreachable` if the answer lacks them, and as `sendToHub` does
 */
export async function* inspectFile(
  hub: Hub,
  id: HubModelId,
  commit: string,
  file: string,
  signal?: AbortSignal,
): AsyncGenerator<PullNote, HubFile> {
  const url = `${hub.settings.endpoint}/${id.repo}/resolve/${commit}/${file.split("/").map(encodeURIComponent).join("/")}`;
  const subject = { ...id, file };
  const answer = yield* sendToHub(hub, { method: "HEAD", url, subject, follow: "description", signal });
  await answer.discard();
  const { status, headers } = answer;
  const linked = status >= 300;
  // names a file of the cache: a token that comes back in it is none
  const etag = normalizeEtag(hub.redactor.known(headers.get("x-linked-etag") ?? headers.get("etag") ?? ""));
  const size = headers.get("x-linked-size") ?? (linked ? null : headers.get("content-length"));
  if (etag === null || size === null || !/^\d{1,15}$/.test(size)) {
    throw explainNoHub(hub, `${file} of ${id.repo} has ETag ${etag ?? "none"} and size ${size ?? "none"}`);
  }
  return { id, commit, file, etag, sizeBytes: Number(size), url };
}

/** `W/"abc"` -> `abc`; null for what cannot be a file's name. */
function normalizeEtag(header: string): string | null {
  const etag = header.replace(/^W\//, "").replace(/^"|"$/g, "");
  return /^\w[\w.-]{0,127}$/.test(etag) ? etag : null;
}
