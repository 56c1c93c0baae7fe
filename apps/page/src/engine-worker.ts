import { type Answerer, createAnswerer } from "./answerer.ts";
import type { Reply, Request } from "./messages.ts";
import { openEngine } from "./open-engine.ts";

/** The worker: one engine, and one thing at a time. A newer request of a kind ends the one before it. */

let opening: Promise<Answerer> | null = null;
const running = new Map<Request["kind"], AbortController>();

addEventListener("message", ({ data: request }: MessageEvent<Request>) => void handle(request));

const reply = (message: Reply): void => postMessage(message);

async function handle(request: Request): Promise<void> {
  if (request.kind === "stop") return void running.get("ask")?.abort();
  const own = new AbortController();
  running.get(request.kind)?.abort();
  // an answer's continuations end with it
  if (request.kind === "ask") running.get("fork")?.abort();
  running.set(request.kind, own);
  const id = request.kind === "open" ? null : request.id;
  try {
    if (request.kind === "open") {
      opening = open(request);
      await opening;
      return;
    }
    const answerer = await opening;
    if (answerer === null) return;
    for await (const message of answer(answerer, request, own.signal))
      if (!own.signal.aborted) reply(message);
  } catch (error) {
    if (own.signal.aborted && request.kind !== "ask") return;
    const reason = own.signal.aborted ? "Stopped." : error instanceof Error ? error.message : String(error);
    reply({ kind: "failed", id, reason });
  }
}

async function open(request: Extract<Request, { readonly kind: "open" }>): Promise<Answerer> {
  const engine = await openEngine(request, (progress) => reply({ kind: "progress", ...progress }));
  const answerer = createAnswerer(engine);
  reply({ kind: "ready", engine: answerer.info });
  return answerer;
}

async function* answer(
  answerer: Answerer,
  request: Exclude<Request, { readonly kind: "open" | "stop" }>,
  signal: AbortSignal,
): AsyncGenerator<Reply, void> {
  const { id } = request;
  if (request.kind === "ask") {
    for await (const event of answerer.ask(request, signal)) yield { id, ...event };
  } else if (request.kind === "fork")
    yield { kind: "forked", id, ...(await answerer.fork(request.at, signal)) };
  else yield { kind: "looked", id, ...(await answerer.look(request.at)) };
}
