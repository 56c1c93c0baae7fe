import { randomUUID } from "node:crypto";
import type { Context, Hono } from "hono";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import { createDeadline } from "../net/deadline.ts";
import { onAbort } from "../net/map-concurrently.ts";
import type { Admission } from "./admission.ts";
import { type AnswerMaker, makeAnswers, type ServedEnd, type ServedToken } from "./answer-request.ts";
import { asApiError } from "./api-error.ts";
import type { ServerMetrics } from "./metrics.ts";
import {
  type AnswerFormat,
  chatFormat,
  completionFormat,
  type ResponseHead,
  type Usage,
  type WholeAnswer,
} from "./openai-answers.ts";
import { type AnswerRequest, readChatBody, readCompletionBody } from "./openai-bodies.ts";
import { type PreparedAnswer, prepareAnswer } from "./prepare-answer.ts";
import { readJson } from "./read-json.ts";
import { findProbe, type ServedProbe } from "./served-probe.ts";

/** What the routes of a server have in common. */
export interface RouteParts {
  readonly maker: AnswerMaker;
  readonly probes: ReadonlyMap<string, ServedProbe>;
  /** What the model is called in answers. */
  readonly modelName: string;
  readonly admission: Admission;
  readonly metrics: ServerMetrics;
  /** Milliseconds that a request may take. */
  readonly timeLimitMs: number;
  /** Tells the operator about failures that are not the client's. */
  report(error: unknown): void;
}

/** `POST /v1/chat/completions` and `POST /v1/completions`. */
export function addAnswerRoutes(app: Hono, parts: RouteParts): void {
  const add = (
    path: string,
    read: (body: unknown) => AnswerRequest,
    formatOf: (prepared: PreparedAnswer, tokenizer: TextTokenizer) => AnswerFormat,
  ): void => {
    app.post(path, async (c) => {
      const request = read(await readJson(c));
      const prepared = prepareAnswer(parts.maker, request, findProbe(parts.probes, request.sep.probe));
      const format = formatOf(prepared, parts.maker.live.model.tokenizer);
      const head = {
        id: `${format.idPrefix}${randomUUID()}`,
        created: Math.floor(Date.now() / 1000),
        model: parts.modelName,
      };
      return request.isStreamed
        ? streamAnswers(parts, prepared, format, head, c.req.raw.signal)
        : sendAnswers(parts, prepared, format, head, c);
    });
  };
  add("/v1/chat/completions", readChatBody, chatFormat);
  add("/v1/completions", readCompletionBody, completionFormat);
}

/** The answers to one request, from its admission to its last token; it is counted whatever becomes of it. */
async function* runRequest(
  { maker, admission, metrics, timeLimitMs }: RouteParts,
  prepared: PreparedAnswer,
  responseId: string,
  signal: AbortSignal,
): AsyncGenerator<ServedToken | ServedEnd, void> {
  using deadline = createDeadline(signal, timeLimitMs);
  const arrived = performance.now();
  using _room = await admission.enter(prepared.request.n, deadline.signal);
  const queueMs = performance.now() - arrived;
  const meter = metrics.beginAnswer(prepared.served, {
    responseId,
    queueMs,
    promptTokens: prepared.prompt.tokenIds.length,
  });
  for await (const event of makeAnswers(maker, prepared, { queueMs, signal: deadline.signal })) {
    meter.count(event);
    yield event;
  }
}

async function sendAnswers(
  parts: RouteParts,
  prepared: PreparedAnswer,
  format: AnswerFormat,
  head: ResponseHead,
  c: Context,
): Promise<Response> {
  const tokens = Array.from({ length: prepared.request.n }, (): ServedToken[] => []);
  const answers: WholeAnswer[] = [];
  for await (const event of runRequest(parts, prepared, head.id, c.req.raw.signal)) {
    if (event.kind === "token") tokens[event.row]?.push(event);
    else answers.push({ tokens: tokens[event.row] ?? [], end: event });
  }
  answers.sort((a, b) => a.end.row - b.end.row);
  const [first] = answers;
  if (first !== undefined) {
    const { risk, decision, warnings } = first.end.sep;
    if (risk !== null) c.header("x-sep-risk", String(risk));
    if (decision !== null) c.header("x-sep-decision", decision);
    if (warnings.length > 0) c.header("x-sep-warnings", encodeHeader(warnings.join(" ")));
  }
  return c.json(
    format.whole(
      head,
      answers,
      usageOf(
        prepared,
        answers.map(({ end }) => end),
      ),
    ),
  );
}

/** A header takes visible ASCII only. */
const encodeHeader = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");

function streamAnswers(
  parts: RouteParts,
  prepared: PreparedAnswer,
  format: AnswerFormat,
  head: ResponseHead,
  signal: AbortSignal,
): Promise<Response> {
  const gone = new AbortController();
  onAbort(signal, () => gone.abort(signal.reason));
  const events = runRequest(parts, prepared, head.id, gone.signal);
  const messages = describeStream(events, prepared, format, head);
  // whoever reads the stream may have stopped at any point, and holds room until it has ended
  gone.signal.addEventListener("abort", () => void messages.return(undefined).catch(() => undefined), {
    once: true,
  });
  const encoder = new TextEncoder();
  // the first event tells whether the request is let in at all, while a status can still say so
  return messages.next().then((first) => {
    let next = Promise.resolve(first);
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        try {
          const { value, done } = await next;
          if (gone.signal.aborted) return;
          if (done) return controller.close();
          next = messages.next();
          next.catch(() => undefined);
          controller.enqueue(encoder.encode(`data: ${value}\n\n`));
        } catch (error) {
          if (gone.signal.aborted) return;
          const failure = asApiError(error);
          if (failure.status >= 500) parts.report(error);
          controller.enqueue(encoder.encode(`data: ${JSON.stringify(failure.body)}\n\n`));
          controller.close();
        }
      },
      cancel: () => gone.abort(),
    });
    return new Response(body, {
      headers: {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        // proxies that collect a response before they pass it on would hide the stream
        "x-accel-buffering": "no",
      },
    });
  });
}

async function* describeStream(
  events: AsyncGenerator<ServedToken | ServedEnd, void>,
  prepared: PreparedAnswer,
  format: AnswerFormat,
  head: ResponseHead,
): AsyncGenerator<string, void> {
  const begun = new Set<number>();
  const ends: ServedEnd[] = [];
  for await (const event of events) {
    if (!begun.has(event.row)) {
      begun.add(event.row);
      const opening = format.begin(head, event.row);
      if (opening !== null) yield JSON.stringify(opening);
    }
    if (event.kind === "end") ends.push(event);
    const chunk = event.kind === "token" ? format.token(head, event) : format.end(head, event);
    if (chunk !== null) yield JSON.stringify(chunk);
  }
  if (prepared.request.includesUsage) yield JSON.stringify(format.usage(head, usageOf(prepared, ends)));
  yield "[DONE]";
}

function usageOf({ prompt }: PreparedAnswer, ends: readonly ServedEnd[]): Usage {
  const prompt_tokens = prompt.tokenIds.length;
  const completion_tokens = ends.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}
