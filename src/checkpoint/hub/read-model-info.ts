import { explainNoHub, fetchJson } from "./fetch-json.ts";
import type { Hub } from "./hub.ts";
import { type HubModelId, isCommitHash } from "./hub-model-id.ts";
import type { PullNote } from "./pull-event.ts";

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
  const url = `${hub.settings.endpoint}/api/models/${id.repo}/revision/${encodeURIComponent(id.revision)}`;
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
  // they become names of files in the cache, where a token that the hub sends back must not be kept
  return { commit: sha, files: named.filter((name) => hub.redactor.known(name) === name) };
}

function fileNameOf(sibling: unknown): string | null {
  const name = (sibling as { readonly rfilename?: unknown } | null)?.rfilename;
  return typeof name === "string" ? name : null;
}
