import { SepError } from "../errors.ts";
import type { Hub } from "../models/hub/hub.ts";
import { retryDelayMs } from "../models/hub/retry-delay.ts";
import type { JudgeModel } from "./judge-model.ts";

export interface ServerJudgeOptions {
  /** Base address of an OpenAI-compatible server, such as `http://localhost:8000/v1`. */
  readonly url: string;
  /** What the server calls the model. */
  readonly model: string;
  /** Sent as a bearer token to this address only. */
  readonly apiKey?: string | undefined;
  /** Requests under way at a time. */
  readonly concurrency?: number | undefined;
  readonly fetch: typeof fetch;
  readonly sleep: Hub["sleep"];
}

/**
 * A judge behind `POST /chat/completions`, decoded greedily. Lost connections, 408, 429 and server errors are tried
 * again; what else goes wrong ends the work.
 * @throws SepError `bad-option` if the address is none; on asking, `judge-failed`
 */
export function createServerJudge(options: ServerJudgeOptions): JudgeModel {
  const { url, model, concurrency = 8 } = options;
  const endpoint = endpointOf(url);
  return {
    name: model,
    concurrency,
    provenance: {
      engine: "server",
      version: 1,
      endpoint,
      model,
      temperature: 0,
      max_tokens: MAX_TOKENS,
    },
    complete: (prompt, { signal }) => ask(endpoint, prompt, options, signal),
  };
}

/** Room for a model that reasons in front of its word. */
const MAX_TOKENS = 1024;
/** A server that says nothing for so long never will. */
const REQUEST_LIMIT_MS = 300_000;
/** With 1 + 2 + 4 + 8 s between them. */
const TRIES = 5;

function endpointOf(url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new SepError(
      "bad-option",
      `Got --judge-url ${url}, expected an address like http://localhost:8000/v1.`,
    );
  }
  const { origin, pathname } = new URL(url); // leaves out a password, which belongs into no artefact
  const path = pathname.replace(/\/(?:chat\/completions)?\/*$/, "");
  return `${origin}${path === "" ? "/v1" : path}/chat/completions`;
}

async function ask(
  endpoint: string,
  prompt: string,
  { model, apiKey, fetch: send, sleep }: ServerJudgeOptions,
  signal: AbortSignal | undefined,
): Promise<string> {
  const request: RequestInit = {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    body: JSON.stringify({
      model,
      messages: [{ role: "user", content: prompt }],
      temperature: 0,
      max_tokens: MAX_TOKENS,
    }),
  };
  for (let failures = 1; ; failures++) {
    signal?.throwIfAborted();
    let reason: string;
    let headers: Headers | null = null;
    let cause: unknown;
    try {
      const limit = AbortSignal.timeout(REQUEST_LIMIT_MS);
      const either = signal === undefined ? limit : AbortSignal.any([signal, limit]);
      const response = await send(endpoint, { ...request, signal: either });
      const text = await response.text();
      if (response.ok) return readReply(text, endpoint);
      if (!isPassing(response.status))
        throw failed(endpoint, `answered ${response.status}: ${excerpt(text)}`);
      reason = `answered ${response.status}: ${excerpt(text)}`;
      headers = response.headers;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof SepError) throw error;
      cause = error;
      reason = `gives no answer (${error instanceof Error ? error.message : String(error)})`;
    }
    if (failures >= TRIES) throw failed(endpoint, reason, cause);
    await sleep(retryDelayMs(failures, headers), signal);
  }
}

const isPassing = (status: number): boolean => status === 408 || status === 429 || status >= 500;

function readReply(text: string, endpoint: string): string {
  let content: unknown;
  try {
    const body = JSON.parse(text) as { choices?: readonly { message?: { content?: unknown } }[] };
    content = body.choices?.[0]?.message?.content;
  } catch (cause) {
    throw failed(endpoint, `answered with something that is no JSON: ${excerpt(text)}`, cause);
  }
  if (typeof content === "string") return content;
  if (content === null) return ""; // a model that wrote nothing but reasoning
  throw failed(endpoint, `answered without choices[0].message.content: ${excerpt(text)}`);
}

const excerpt = (text: string): string => JSON.stringify(text.slice(0, 200));

const failed = (endpoint: string, reason: string, cause?: unknown): SepError =>
  new SepError(
    "judge-failed",
    `The judge at ${endpoint} ${reason}. Check --judge-url and --judge-model, and OPENAI_API_KEY if it wants a key; verdicts that are there are kept.`,
    { cause },
  );
