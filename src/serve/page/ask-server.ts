import type { AnswerRisk } from "../answer-request.ts";
import type { MeasuredEntropy } from "../entropy-meter.ts";
import type { TokenRisk } from "../monitor.ts";

export interface Message {
  readonly role: "user" | "assistant";
  readonly content: string;
}

export interface Asked {
  readonly messages: readonly Message[];
  readonly probe: string;
  readonly signal: AbortSignal;
}

/** What comes of a streamed answer. */
export type AnswerEvent =
  | { readonly kind: "token"; readonly delta: string; readonly risks: readonly TokenRisk[] }
  | {
      readonly kind: "end";
      readonly delta: string;
      readonly risks: readonly TokenRisk[];
      readonly risk: AnswerRisk;
      readonly finishReason: string;
    };

export interface ListedProbe {
  readonly id: string;
  readonly risk_of: AnswerRisk["risk_of"];
  readonly place: string | null;
  readonly layer: number | null;
}

/** The model's name and the probes that the server has, the first one first. */
export async function loadServer(): Promise<{
  readonly model: string;
  readonly probes: readonly ListedProbe[];
}> {
  const [models, probes] = await Promise.all(
    ["v1/models", "v1/probes"].map(async (path) => readAnswer(await fetch(path))),
  );
  const [first] = (models as { data: readonly { id: string }[] }).data;
  return { model: first?.id ?? "", probes: (probes as { data: readonly ListedProbe[] }).data };
}

/**
 * Asks, and yields the answer token by token. With log-probabilities, the server sends a chunk for each token, even for one
 * that completes no text.
 * @throws Error with the server's own words
 */
export async function* streamAnswer({ messages, probe, signal }: Asked): AsyncGenerator<AnswerEvent, void> {
  const response = await post(
    { messages, stream: true, logprobs: true, sep: { probe, spans: true } },
    signal,
  );
  if (!response.ok || response.body === null) await readAnswer(response);
  for await (const text of readEvents(response.body as ReadableStream<Uint8Array>)) {
    if (text === "[DONE]") return;
    const [choice] = requireAnswer<Chunk>(JSON.parse(text)).choices;
    if (choice === undefined || choice.delta.role !== undefined) continue;
    const delta = choice.delta.content ?? "";
    const risks = choice.sep?.tokens ?? [];
    if (choice.finish_reason === null) yield { kind: "token", delta, risks };
    else
      yield { kind: "end", delta, risks, risk: choice.sep as AnswerRisk, finishReason: choice.finish_reason };
  }
  throw new Error("The server ended the answer before it was complete.");
}

/** Draws more answers to the same question, and measures how far their meanings scatter. */
export async function measureEntropy(
  { messages, probe, signal }: Asked,
  samples: number,
): Promise<MeasuredEntropy> {
  const response = await post({ messages, sep: { probe, samples } }, signal);
  const { choices } = (await readAnswer(response)) as {
    choices: readonly { sep: { entropy: MeasuredEntropy } }[];
  };
  return (choices[0] as (typeof choices)[number]).sep.entropy;
}

interface Chunk {
  readonly choices: readonly {
    readonly delta: { readonly role?: string; readonly content?: string };
    readonly finish_reason: string | null;
    readonly sep?: Partial<AnswerRisk>;
  }[];
}

const post = (body: object, signal: AbortSignal): Promise<Response> =>
  fetch("v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

async function readAnswer(response: Response): Promise<unknown> {
  const body = await response.json().catch(() => ({}));
  return requireAnswer(body, response.ok ? null : `The server answered with status ${response.status}.`);
}

function requireAnswer<Body>(body: unknown, failure: string | null = null): Body {
  const { error } = body as { readonly error?: { readonly message: string } };
  if (error !== undefined || failure !== null) throw new Error(error?.message ?? failure ?? "");
  return body as Body;
}

/** The data of server-sent events, each of which is one line. */
async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = events.pop() as string;
      for (const event of events) if (event.startsWith("data: ")) yield event.slice("data: ".length);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
