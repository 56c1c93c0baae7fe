import { SepError } from "../../errors.ts";
import type { Hub } from "./hub.ts";
import { type HubModelId, isCommitHash } from "./hub-model-id.ts";
import type { PullNote } from "./pull-event.ts";
import { describeLoss, sendToHub } from "./send-to-hub.ts";

/** What the hub says about a model at a revision. */
export interface HubModelInfo {
  /** The revision's commit hash. */
  readonly commit: string;
  /** Paths of all its files. */
  readonly files: readonly string[];
}

/** Repositories of a hundred thousand files stay below this. */
const MAX_INFO_BYTES = 64 * 1024 * 1024;

/**
 * Asks what commit a revision is, and which files it has.
 * @param tries how often to ask; see `sendToHub`
 * @throws SepError `hub-unreachable` if what comes back is not a hub's answer, and as `sendToHub` does
 */
export async function* readModelInfo(
  hub: Hub,
  id: HubModelId,
  { tries, signal }: { readonly tries?: number | undefined; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<PullNote, HubModelInfo> {
  const { endpoint } = hub.settings;
  const answer = yield* sendToHub(hub, {
    method: "GET",
    url: `${endpoint}/api/models/${id.repo}/revision/${encodeURIComponent(id.revision)}`,
    subject: { ...id, file: null },
    follow: "hub",
    signal,
    ...(tries === undefined ? {} : { tries }),
  });
  const fail = (problem: string, cause?: unknown): never => {
    throw new SepError(
      "hub-unreachable",
      `${endpoint} does not answer like a Hugging Face hub: ${problem}. Check HF_ENDPOINT, proxies and firewalls.`,
      { cause },
    );
  };
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of answer.read()) {
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_INFO_BYTES) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    return fail(`its answer about ${id.repo} breaks off (${describeLoss(cause)})`, cause);
  }
  if (sizeBytes > MAX_INFO_BYTES) return fail(`its answer about ${id.repo} exceeds ${MAX_INFO_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    return fail(`its answer about ${id.repo} is not JSON`, cause);
  }
  const { sha, siblings } = (value ?? {}) as { readonly sha?: unknown; readonly siblings?: unknown };
  if (typeof sha !== "string" || !isCommitHash(sha)) return fail(`${id.repo} has no commit hash`);
  const files = Array.isArray(siblings) ? siblings.map(fileNameOf) : [];
  return { commit: sha, files: files.filter((name) => name !== null) };
}

function fileNameOf(sibling: unknown): string | null {
  const name = (sibling as { readonly rfilename?: unknown } | null)?.rfilename;
  return typeof name === "string" ? name : null;
}
