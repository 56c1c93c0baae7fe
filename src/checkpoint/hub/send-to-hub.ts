import { SepError } from "../../errors.ts";
import { askedDelayMs, LONGEST_WAIT_MS, retry } from "../../net/retry.ts";
import { describeLoss } from "../../net/send-once.ts";
import { redactError } from "../../text/redact.ts";
import { explainRefusal, type HubSubject } from "./explain-refusal.ts";
import type { Hub, PullNote } from "./hub.ts";

export interface HubRequest {
  readonly method: "GET" | "HEAD";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For errors. */
  readonly subject: HubSubject;
  /** "description": stop at the redirect to the storage server, whose headers describe the file. */
  readonly follow: "description" | "content";
  /** Tries in all, the first included. */
  readonly tries?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HubResponse {
  readonly kind: "answered";
  readonly status: number;
  readonly headers: Headers;
  /** The body; throws when the connection is lost or nothing comes for a while. */
  readonly read: () => AsyncGenerator<Uint8Array, void>;
  /** Ends the exchange without reading the body. */
  readonly discard: () => Promise<void>;
}

/** With 1 + 2 + 4 + 8 s between them: long enough for a short outage. */
export const DEFAULT_TRIES = 5;
const MAX_REDIRECTS = 8;

/**
 * Sends a request to the hub, and again after a lost connection, "too many requests" or a server error. Redirects are
 * followed here, since the token must go to the hub's own address only.
 * @returns an answer below 400, or 416
 * @throws SepError `hub-unreachable` when all tries failed; those of `explainRefusal`; the signal's reason
 */
export async function* sendToHub(hub: Hub, request: HubRequest): AsyncGenerator<PullNote, HubResponse> {
  const { subject, tries = DEFAULT_TRIES, signal } = request;
  const attempts = retry(() => tryOnce(hub, request), { tries, sleep: hub.sleep, signal });
  let step = await attempts.next();
  for (; !step.done; step = await attempts.next()) {
    const { outcome, waitMs } = step.value;
    if (outcome.kind === "answered") await outcome.discard();
    yield describeRetry(hub, outcome, waitMs);
  }
  const outcome = step.value;
  if (outcome.kind === "lost") throw giveUp(hub, outcome);
  const { status } = outcome;
  if (status < 400 || status === 416) return outcome;
  await outcome.discard();
  const isRefused = status !== 408 && status !== 429 && status < 500;
  throw isRefused ? explainRefusal(hub, subject, outcome) : giveUp(hub, outcome);
}

interface LostRequest {
  readonly kind: "lost";
  readonly reason: string;
  /** Trying again cannot help. */
  readonly isHopeless: boolean;
  readonly cause: unknown;
}

async function tryOnce(hub: Hub, request: HubRequest): Promise<HubResponse | LostRequest> {
  const guard = openStallGuard(request.signal);
  try {
    return await followRedirects(hub, request, guard);
  } catch (error) {
    guard.close();
    request.signal?.throwIfAborted();
    if (error instanceof SepError) throw error;
    const cause = redactError(error, hub.redactor.message);
    const reason = describeLoss(cause);
    return { kind: "lost", reason, isHopeless: /CERT|SELF_SIGNED|UNABLE_TO_/.test(reason), cause };
  }
}

async function followRedirects(hub: Hub, request: HubRequest, guard: StallGuard): Promise<HubResponse> {
  const home = new URL(hub.settings.endpoint).origin;
  const authorization = authorizationOf(hub);
  let url = new URL(request.url);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const trusted = url.origin === home && authorization !== null;
    const response = await hub.fetch(url, {
      method: request.method,
      headers: {
        "user-agent": "semantic-entropy-probes",
        // a compressed answer has another length and cannot be resumed
        "accept-encoding": "identity",
        ...request.headers,
        ...(trusted ? { authorization } : {}),
      },
      redirect: "manual",
      signal: guard.signal,
    });
    const location =
      response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
    const next = location === null ? null : new URL(location, url);
    const describes = request.follow === "description" && response.headers.has("x-linked-etag");
    const isDone = next === null || (describes && next.origin !== home);
    if (isDone) return openResponse(response, guard);
    await response.body?.cancel();
    if (!/^https?:$/.test(next.protocol)) throw new Error(`redirects to ${next.protocol}`);
    url = next;
  }
  throw new Error(`redirects more than ${MAX_REDIRECTS} times`);
}

/** A login in the address of a mirror takes precedence, as in Python's huggingface_hub. */
function authorizationOf({ settings: { login }, token }: Hub): string | null {
  if (login !== null) return `Basic ${login}`;
  return token === null ? null : `Bearer ${token}`;
}

function openResponse(response: Response, guard: StallGuard): HubResponse {
  return {
    kind: "answered",
    status: response.status,
    headers: response.headers,
    async *read() {
      try {
        // Node 20's own body never ends if it is aborted between the last byte and the end; a piped one does
        const body = response.body?.pipeThrough(new TransformStream(), { signal: guard.signal });
        for await (const chunk of body ?? []) {
          guard.touch();
          yield chunk as Uint8Array;
        }
      } finally {
        guard.close();
      }
    },
    async discard() {
      guard.close();
      await response.body?.cancel();
    },
  };
}

function giveUp(hub: Hub, outcome: HubResponse | LostRequest): SepError {
  const waitMs = outcome.kind === "answered" ? askedDelayMs(outcome.headers) : null;
  const later = waitMs !== null && waitMs > LONGEST_WAIT_MS ? ` and asks to wait ${seconds(waitMs)}` : "";
  return new SepError(
    "hub-unreachable",
    `${hub.settings.endpoint} cannot be used: it ${
      outcome.kind === "answered" ? describe(outcome) + later : `gives no answer (${outcome.reason})`
    }. Check the network and HF_ENDPOINT and try again; HF_HUB_OFFLINE=1 uses cached models only.`,
    { cause: outcome.kind === "lost" ? outcome.cause : undefined },
  );
}

function describeRetry(hub: Hub, outcome: HubResponse | LostRequest, waitMs: number): PullNote {
  const { host } = new URL(hub.settings.endpoint);
  return { kind: "note", message: `${host}: ${describe(outcome)}; trying again in ${seconds(waitMs)}` };
}

const describe = (outcome: HubResponse | LostRequest): string =>
  outcome.kind === "lost" ? outcome.reason : `answered ${outcome.status}`;

const seconds = (durationMs: number): string => `${Math.ceil(durationMs / 1_000)} s`;

/** Aborts a request that has stalled. */
interface StallGuard {
  /** Aborted with the request's own signal, or after too long without a `touch`. */
  readonly signal: AbortSignal;
  /** Data has arrived. */
  readonly touch: () => void;
  /** The request is over. */
  readonly close: () => void;
}

/** Longer than a slow server takes. Without it, a dead connection hangs until the operating system gives it up. */
const STALLED_AFTER_MS = 30_000;

export function openStallGuard(signal: AbortSignal | undefined): StallGuard {
  const stalled = new AbortController();
  const reason = new Error(`no data for ${STALLED_AFTER_MS / 1_000} s`);
  const timer = setTimeout(() => stalled.abort(reason), STALLED_AFTER_MS);
  return {
    signal: signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]),
    touch: () => {
      timer.refresh();
    },
    close: () => clearTimeout(timer),
  };
}
