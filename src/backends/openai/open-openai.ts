import type { OpeningEvent } from "../../checkpoint/opening-event.ts";
import { SepError } from "../../errors.ts";
import { createRng } from "../../math/rng.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import { describeOutcome, quoteAnswer } from "../../net/describe-outcome.ts";
import { drain } from "../../net/map-concurrently.ts";
import { retry, type Sleep, sleepFor } from "../../net/retry.ts";
import { type Answered, parseBody, type RequestOutcome, sendOnce } from "../../net/send-once.ts";
import { parseServerAddress } from "../../net/server-address.ts";
import type { BackendWith, OpenBackendOptions } from "../backend.ts";

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
  readonly sleep: Sleep;
  /** In [0, 1): shortens the waits between tries by up to a half. */
  readonly random?: (() => number) | undefined;
}

/**
 * Opens a model behind an OpenAI-compatible server as a judge; a key is in `OPENAI_API_KEY`. Nothing is sent before it is
 * asked.
 * @param model what the server calls it
 * @throws SepError `bad-option` if the address is not valid
 */
export async function* openOpenai(
  url: string,
  model: string,
  {
    hub: { env = process.env, fetch: send = fetch, sleep = sleepFor } = {},
  }: Pick<OpenBackendOptions, "hub"> = {},
): AsyncGenerator<OpeningEvent, BackendWith<"judge">> {
  const apiKey = env.OPENAI_API_KEY || undefined;
  const judge = createServerJudge({ url, model, apiKey, fetch: send, sleep });
  return { name: "openai", judge, [Symbol.asyncDispose]: async () => undefined };
}

/**
 * A judge behind `POST /chat/completions`, decoded greedily. Lost connections, 408, 429 and server errors are tried
 * again; any other failure ends the work.
 * @throws SepError `bad-option` if the address is not valid; on asking, `judge-failed`
 */
export function createServerJudge(options: ServerJudgeOptions): JudgeModel {
  const { url, model, concurrency = 8 } = options;
  const endpoint = `${parseServerAddress(url, "--judge-url").api}/chat/completions`;
  const jitter = createRng("jitter", process.pid);
  const random = options.random ?? (() => jitter.next());
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
    complete: (prompt, { signal }) => ask(endpoint, prompt, { ...options, random }, signal),
  };
}

/** Room for a model that reasons before its verdict. */
const MAX_TOKENS = 1024;
/** A server that has not answered for so long never will. */
const REQUEST_LIMIT_MS = 300_000;
/** With 1 + 2 + 4 + 8 s between them. */
const TRIES = 5;
const FIRST_DELAY_MS = 1_000;

async function ask(
  endpoint: string,
  prompt: string,
  { model, apiKey, fetch, sleep, random }: ServerJudgeOptions & { readonly random: () => number },
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
  const send = () => sendOnce(endpoint, request, { fetch, limitMs: REQUEST_LIMIT_MS, signal });
  const outcome = await drain(
    retry<RequestOutcome>(send, { tries: TRIES, firstDelayMs: FIRST_DELAY_MS, sleep, random, signal }),
  );
  if (outcome.kind === "answered" && outcome.status < 300) return readReply(outcome, endpoint);
  throw failed(endpoint, describeOutcome(outcome), outcome.kind === "lost" ? outcome.cause : undefined);
}

function readReply(answer: Answered, endpoint: string): string {
  let content: unknown;
  try {
    const body = parseBody(answer) as { choices?: readonly { message?: { content?: unknown } }[] };
    content = body.choices?.[0]?.message?.content;
  } catch (cause) {
    throw failed(endpoint, `did not answer with JSON: ${quoteAnswer(answer)}`, cause);
  }
  if (typeof content === "string") return content;
  if (content === null) return ""; // a model that wrote nothing but reasoning
  throw failed(endpoint, `answered without choices[0].message.content: ${quoteAnswer(answer)}`);
}

const failed = (endpoint: string, reason: string, cause?: unknown): SepError =>
  new SepError(
    "judge-failed",
    `The judge at ${endpoint} ${reason}. Check --judge-url and --judge-model, and OPENAI_API_KEY if the server needs a key. Verdicts received so far are kept.`,
    { cause },
  );
