import { SepError } from "../../errors.ts";
import { retryDelayMs } from "../../net/retry-delay.ts";
import { redactError } from "../../text/redact.ts";
import { explainRefusal, type HubSubject } from "./explain-refusal.ts";
import type { Hub } from "./hub.ts";
import type { PullNote } from "./pull-event.ts";
import { openStallGuard, type StallGuard } from "./stall-guard.ts";

export interface HubRequest {
  readonly method: "GET" | "HEAD";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For errors. */
  readonly subject: HubSubject;
  /** "description": stop where the hub says what a file is and sends us to the server that stores it. */
  readonly follow: "description" | "content";
  /** How often to try in all. */
  readonly tries?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HubResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The body; throws when the connection is lost or nothing comes for a while. */
  readonly read: () => AsyncGenerator<Uint8Array, void>;
  /** Ends the exchange without reading the body. */
  readonly discard: () => Promise<void>;
}

/** Tries with 1 + 2 + 4 + 8 s between them: a short outage passes unseen. */
export const DEFAULT_TRIES = 5;
/** The hub counts requests in windows of 5 minutes; who has to wait longer should know. */
const LONGEST_WAIT_MS = 330_000;
const MAX_REDIRECTS = 8;

/**
 * Asks the hub, and asks again after a lost connection, "too many requests" or a server error. Redirects are
 * followed here, since the token must not leave the hub's own address.
 * @returns an answer below 400, or 416
 * @throws SepError `hub-unreachable` when all tries failed; those of `explainRefusal`; the signal's reason
 */
export async function* sendToHub(hub: Hub, request: HubRequest): AsyncGenerator<PullNote, HubResponse> {
  const { subject, tries = DEFAULT_TRIES, signal } = request;
  for (let failures = 1; ; failures++) {
    const outcome = await tryOnce(hub, request);
    if ("read" in outcome) {
      const { status, headers, discard } = outcome;
      if (status < 400 || status === 416) return outcome;
      await discard();
      if (status !== 408 && status !== 429 && status < 500) throw explainRefusal(hub, subject, outcome);
      const waitMs = retryDelayMs(failures, headers);
      if (failures >= tries || waitMs > LONGEST_WAIT_MS) throw giveUp(hub, `answered ${status}`, waitMs);
      yield describeRetry(hub, `answered ${status}`, waitMs);
      await hub.sleep(waitMs, signal);
    } else {
      const waitMs = retryDelayMs(failures, null);
      if (failures >= tries || outcome.hopeless) throw giveUp(hub, outcome.reason, null, outcome.cause);
      yield describeRetry(hub, outcome.reason, waitMs);
      await hub.sleep(waitMs, signal);
    }
  }
}

interface LostRequest {
  readonly reason: string;
  /** Trying again cannot help. */
  readonly hopeless: boolean;
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
    return { reason, hopeless: /CERT|SELF_SIGNED|UNABLE_TO_/.test(reason), cause };
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
        // a compressed answer would have another length, and could not be resumed
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

/** A login in the address comes first, as in Python's huggingface_hub: it opens the mirror that asks for it. */
function authorizationOf({ settings: { login }, token }: Hub): string | null {
  if (login !== null) return `Basic ${login}`;
  return token === null ? null : `Bearer ${token}`;
}

function openResponse(response: Response, guard: StallGuard): HubResponse {
  return {
    status: response.status,
    headers: response.headers,
    async *read() {
      try {
        // Node 20's own body never ends when it is aborted between its last byte and its end: this pipe does
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

/** "ECONNREFUSED", "no data for 30 s": what is known about a connection that failed. */
export function describeLoss(error: unknown): string {
  const { message, cause } = error as { readonly message?: string; readonly cause?: unknown };
  const { code, message: inner } = (cause ?? {}) as { readonly code?: string; readonly message?: string };
  return code ?? inner ?? message ?? String(error);
}

function giveUp(hub: Hub, reason: string, waitMs: number | null, cause?: unknown): SepError {
  const later = waitMs !== null && waitMs > LONGEST_WAIT_MS ? ` and asks to wait ${seconds(waitMs)}` : "";
  return new SepError(
    "hub-unreachable",
    `${hub.settings.endpoint} cannot be used: it ${
      reason.startsWith("answered") ? reason + later : `gives no answer (${reason})`
    }. Check the network and HF_ENDPOINT and try again; HF_HUB_OFFLINE=1 uses cached models only.`,
    { cause },
  );
}

function describeRetry(hub: Hub, reason: string, waitMs: number): PullNote {
  const { host } = new URL(hub.settings.endpoint);
  return { kind: "note", message: `${host}: ${reason}; trying again in ${seconds(waitMs)}` };
}

const seconds = (durationMs: number): string => `${Math.ceil(durationMs / 1_000)} s`;
