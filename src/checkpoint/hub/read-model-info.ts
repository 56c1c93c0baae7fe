import { SepError } from "../../errors.ts";
import { backoffMs } from "../../net/retry.ts";
import { describeLoss } from "../../net/send-once.ts";
import { redactError } from "../../text/redact.ts";
import type { Hub, PullNote } from "./hub.ts";
import { type HubModelId, isCommitHash, repoPath } from "./hub-model-id.ts";
import { DEFAULT_TRIES, type HubRequest, type HubResponse, sendToHub } from "./send-to-hub.ts";

/** What the hub says about a model or a data set at a revision. */
interface HubModelInfo {
  /** The revision's commit hash. */
  readonly commit: string;
  /** Paths of all its files. */
  readonly files: readonly string[];
}

/** Repositories of a hundred thousand files stay below this. */
const MAX_INFO_BYTES = 64 * 1024 * 1024;

/**
 * Asks which commit a revision is, and which files it has.
 * @param tries how often to ask; see `sendToHub`
 * @throws SepError `hub-unreachable` if the answer is not that of a hub, and as `sendToHub`
 */
export async function* readModelInfo(
  hub: Hub,
  id: HubModelId,
  { tries, signal }: { readonly tries?: number | undefined; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<PullNote, HubModelInfo> {
  const path = id.kind === "dataset" ? repoPath(id) : `models/${id.repo}`;
  const url = `${hub.settings.endpoint}/api/${path}/revision/${encodeURIComponent(id.revision)}`;
  const value = yield* fetchJson(
    hub,
    {
      method: "GET",
      url,
      subject: { ...id, file: null },
      follow: "content",
      signal,
      ...(tries === undefined ? {} : { tries }),
    },
    MAX_INFO_BYTES,
  );
  const { sha, siblings } = (value ?? {}) as { readonly sha?: unknown; readonly siblings?: unknown };
  if (typeof sha !== "string" || !isCommitHash(sha)) throw explainNoHub(hub, `${url} names no commit`);
  const named = Array.isArray(siblings) ? siblings.map(fileNameOf).filter((name) => name !== null) : [];
  // they name files in the cache, where a token that the hub echoes must not end up
  return { commit: sha, files: named.filter((name) => hub.redactor.known(name) === name) };
}

function fileNameOf(sibling: unknown): string | null {
  const name = (sibling as { readonly rfilename?: unknown } | null)?.rfilename;
  return typeof name === "string" ? name : null;
}

/** A file of one commit on the hub. */
export interface HubFile {
  readonly id: HubModelId;
  readonly commit: string;
  /** Its name, with its folder. */
  readonly file: string;
  /** Names the content, and the blob in the cache: SHA-256 of large files, git's SHA-1 of small ones. */
  readonly etag: string;
  readonly sizeBytes: number;
  /** On the hub, which redirects to where the content is stored. */
  readonly url: string;
}

/**
 * Asks for the hash and size of a file. For large files they are in the hub's own headers on the redirect to the
 * storage server, whose `ETag` is a different one.
 * @throws SepError `hub-unreachable` if the answer lacks them, and as `sendToHub`
 */
export async function* inspectFile(
  hub: Hub,
  id: HubModelId,
  commit: string,
  file: string,
  signal?: AbortSignal,
): AsyncGenerator<PullNote, HubFile> {
  const url = `${hub.settings.endpoint}/${repoPath(id)}/resolve/${commit}/${file.split("/").map(encodeURIComponent).join("/")}`;
  const subject = { ...id, file };
  const answer = yield* sendToHub(hub, { method: "HEAD", url, subject, follow: "description", signal });
  await answer.discard();
  const { status, headers } = answer;
  const linked = status >= 300;
  // names a file of the cache: refused if the hub echoes a token in it
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

/**
 * Asks for a small JSON document, and again if the answer breaks off.
 * @param maxBytes limit of the answer, so that no server can fill the memory
 * @throws SepError `hub-unreachable` if the answer is not JSON, and as `sendToHub`
 */
async function* fetchJson(
  hub: Hub,
  request: HubRequest,
  maxBytes: number,
): AsyncGenerator<PullNote, unknown> {
  const { tries = DEFAULT_TRIES, signal } = request;
  for (let failures = 1; ; failures++) {
    const answer = yield* sendToHub(hub, request);
    const content = await readAll(answer, maxBytes, signal);
    if ("bytes" in content) return parse(hub, request, content.bytes);
    if (failures >= tries) throw explainNoHub(hub, `${request.url} breaks off (${content.loss})`);
    yield { kind: "note", message: `${request.url} breaks off (${content.loss}); trying again` };
    await hub.sleep(backoffMs(failures), signal);
  }
}

/** The error for an answer that is not that of a Hugging Face hub. */
const explainNoHub = (
  { settings, redactor: { message: redact } }: Hub,
  problem: string,
  cause?: unknown,
): SepError =>
  new SepError(
    "hub-unreachable",
    `${settings.endpoint} does not answer like a Hugging Face hub: ${redact(problem)}. Check HF_ENDPOINT, proxies and firewalls.`,
    { cause: redactError(cause, redact) },
  );

async function readAll(
  answer: HubResponse,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly bytes: Buffer } | { readonly loss: string }> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of answer.read()) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) return { loss: `more than ${maxBytes} bytes` };
      chunks.push(chunk);
    }
  } catch (error) {
    signal?.throwIfAborted();
    return { loss: describeLoss(error) };
  }
  return { bytes: Buffer.concat(chunks) };
}

function parse(hub: Hub, { url }: HubRequest, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw explainNoHub(hub, `${url} is not JSON`, cause);
  }
}
