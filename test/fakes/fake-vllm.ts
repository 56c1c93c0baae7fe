import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { LanguageModel } from "../../src/engine/language-model.ts";
import {
  drawCompletions,
  type FakeStream,
  refuseLogprobs,
  streamCompletion,
} from "./fake-vllm-completions.ts";
import { type FileFault, poolTokens, writeStates } from "./fake-vllm-states.ts";

/** Something that goes wrong with a request. */
export type FakeFault =
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: string }
  /** The connection is cut before the answer. */
  | { readonly kind: "reset" }
  /** No answer ever comes, and the connection stays. */
  | { readonly kind: "hang" }
  /** Half of the answer comes, then the connection is cut. */
  | { readonly kind: "cut" }
  /** The answer is good, and the hidden states' file is not. */
  | { readonly kind: "file"; readonly file: FileFault };

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface FakeVllmOptions {
  readonly model: LanguageModel;
  /** As `--served-model-name` has it. */
  readonly name?: string;
  /** What `--model` was. */
  readonly root?: string;
  readonly maxModelLength?: number;
  /** As `--max-logprobs`. */
  readonly maxLogprobs?: number;
  /** As `--logprobs-mode`. */
  readonly logprobsMode?: "raw_logprobs" | "processed_logprobs";
  readonly apiKey?: string;
  /** false as versions before 0.10.2, which know no `return_token_ids`. */
  readonly knowsTokenIds?: boolean;
  /** As another server than vLLM, without /tokenize and /health. */
  readonly isPlain?: boolean;
  /** The random stream that a seed stands for, so that a test can have the local engine's own answers. */
  readonly streamOf?: (seed: number) => FakeStream | null;
  /** What the hidden-states connector was started with; no connector without it. */
  readonly states?: {
    readonly folder: string;
    readonly layers: readonly number[];
    readonly dtype?: "F32" | "BF16";
  };
  /** As vLLM 0.32 on a CPU, whose speculative decoding draws at any temperature. */
  readonly drawsBadly?: boolean;
  /** The server was started with `--runner pooling`. */
  readonly isPooling?: boolean;
  /** What goes wrong with the n-th request for an answer or states, from 0; null for nothing. */
  readonly fault?: (n: number, request: SeenRequest) => FakeFault | null;
  readonly port?: number;
}

export interface FakeVllm extends AsyncDisposable {
  /** Address for `--vllm-url`. */
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** Stops taking and answering anything, with all connections left open, as a machine without power. */
  freeze(): void;
  /** Cuts all connections and listens no more. */
  kill(): Promise<void>;
}

/**
 * A vLLM server on this machine: its API, with this package's engine behind it.
 * @see https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html and the recordings in test/fixtures/vllm
 */
export async function startFakeVllm(options: FakeVllmOptions): Promise<FakeVllm> {
  const requests: SeenRequest[] = [];
  let counted = 0;
  let frozen = false;
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) sendError(response, 500, "InternalServerError", String(error));
      else response.destroy();
    });
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const seen = await read(request);
    requests.push(seen);
    if (frozen) return;
    const { apiKey } = options;
    if (apiKey !== undefined && seen.path.startsWith("/v1") && seen.authorization !== `Bearer ${apiKey}`)
      return sendError(response, 401, "Unauthorized", "Unauthorized");
    const isWork = seen.method === "POST" && seen.path !== "/tokenize";
    const fault = isWork ? (options.fault?.(counted++, seen) ?? null) : null;
    if (fault?.kind === "reset") return void request.socket.destroy();
    if (fault?.kind === "hang") return;
    if (fault?.kind === "status") {
      if (fault.retryAfter !== undefined) response.setHeader("retry-after", fault.retryAfter);
      return sendError(response, fault.status, "InternalServerError", "an injected fault");
    }
    const stop = new AbortController();
    response.on("close", () => stop.abort());
    const file = fault?.kind === "file" ? fault.file : null;
    if (seen.body.stream === true)
      return stream(response, seen, { ...options, stop, file, cut: fault?.kind === "cut" });
    const result = await route(options, seen, stop.signal, file);
    if (stop.signal.aborted || frozen) return;
    if (fault?.kind === "cut") {
      const text = JSON.stringify(result.body);
      response.writeHead(200, { "content-type": "application/json", "content-length": text.length });
      response.write(text.slice(0, Math.floor(text.length / 2)), () => response.destroy());
      return;
    }
    response.writeHead(result.status, { "content-type": "application/json" });
    response.end(result.text ?? JSON.stringify(result.body));
  };
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    freeze: () => {
      frozen = true;
    },
    kill: () => close(server),
    [Symbol.asyncDispose]: () => close(server),
  };
}

interface Result {
  readonly status: number;
  readonly body?: unknown;
  readonly text?: string;
}

async function route(
  options: FakeVllmOptions,
  { path, body }: SeenRequest,
  signal: AbortSignal,
  file: FileFault | null,
): Promise<Result> {
  const { model, name = "pocket", root = name, states } = options;
  const maxModelLength = options.maxModelLength ?? model.config.maxPositions;
  const bad = (message: string, status = 400): Result => ({
    status,
    body: {
      error: {
        message,
        type: status === 404 ? "NotFoundError" : "BadRequestError",
        param: null,
        code: status,
      },
    },
  });
  if (path === "/v1/models") {
    const entry = { id: name, object: "model", created: 0, owned_by: "vllm", root, parent: null };
    return { status: 200, body: { object: "list", data: [{ ...entry, max_model_len: maxModelLength }] } };
  }
  if (path === "/health" && !options.isPlain) return { status: 200, text: "" };
  if (path === "/version") return { status: 200, body: { version: "0.19.0" } };
  if (body.model !== undefined && body.model !== name)
    return bad(`The model \`${body.model}\` does not exist. Valid aliases: ${name}.`, 404);
  if (path === "/tokenize" && !options.isPlain) {
    const tokens = model.tokenizer.encode(String(body.prompt), {
      specialTokens: body.add_special_tokens !== false,
    });
    return {
      status: 200,
      body: { count: tokens.length, max_model_len: maxModelLength, tokens, token_strs: null },
    };
  }
  if (path === "/pooling" && options.isPooling)
    return { status: 200, body: await poolTokens(model, name, body) };
  const isChat = path === "/v1/chat/completions";
  if ((path !== "/v1/completions" && !isChat) || options.isPooling) return bad("Not Found", 404);
  const refusal = refuseLogprobs(body, options.maxLogprobs ?? 20);
  if (refusal !== null) return bad(refusal);
  const drawn = await drawCompletions(body, isChat, { ...options, name, maxModelLength, signal });
  if ("refusal" in drawn) return bad(drawn.refusal);
  if (states === undefined) return { status: 200, body: drawn.body };
  const id = String((drawn.body as { readonly id: unknown }).id);
  const tokenIds = withOutput(body)
    ? [...drawn.promptIds, ...drawn.answer.tokenIds.slice(0, -1)]
    : drawn.promptIds;
  const written = await writeStates(model, states, { id, tokenIds, fault: file });
  // a stop string is found behind the connector's back
  const isCut =
    drawn.answer.finishReason === "stop" &&
    ((body.stop ?? []) as unknown[]).length > 0 &&
    drawn.answer.tokenIds.length > drawn.answer.answerTokenCount &&
    !model.endTokenIds.has(drawn.answer.tokenIds.at(-1) as number);
  return {
    status: 200,
    body: { ...drawn.body, kv_transfer_params: isCut ? null : { hidden_states_path: written } },
  };
}

/** Whether the file is to have the answer, too, but for its last token, which is never run. */
const withOutput = ({ kv_transfer_params: params }: SeenRequest["body"]): boolean =>
  (params as { readonly include_output_tokens?: boolean } | undefined)?.include_output_tokens === true;

async function read(request: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return {
    method: request.method ?? "",
    path: (request.url ?? "").split("?")[0] as string,
    authorization: request.headers.authorization ?? null,
    body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
  };
}

function sendError(response: ServerResponse, status: number, type: string, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ error: { message, type, param: null, code: status } }));
}

interface StreamOptions extends FakeVllmOptions {
  readonly stop: AbortController;
  readonly file: FileFault | null;
  /** Whether the connection breaks in the middle. */
  readonly cut: boolean;
}

/** A chunk a token, until the answer ends or the client goes away; the hidden states are written in either case. */
async function stream(
  response: ServerResponse,
  { body }: SeenRequest,
  { stop, file, cut, ...options }: StreamOptions,
): Promise<void> {
  const { model, name = "pocket", states } = options;
  const maxModelLength = options.maxModelLength ?? model.config.maxPositions;
  const drawn = streamCompletion(body, { ...options, name, maxModelLength, signal: stop.signal });
  if ("refusal" in drawn) return sendError(response, 400, "BadRequestError", drawn.refusal);
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  let seen: readonly number[] = [];
  try {
    for await (const { chunk, tokenIds } of drawn.chunks) {
      seen = tokenIds;
      // a chunk may come in any pieces
      const text = `data: ${JSON.stringify(chunk)}\n\n`;
      const middle = text.length >> 1;
      response.write(text.slice(0, middle));
      response.write(text.slice(middle));
      if (cut && tokenIds.length > 2) response.destroy();
      await new Promise(setImmediate); // a client that goes away is noticed
    }
    response.end("data: [DONE]\n\n");
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  if (states === undefined) return;
  const tokenIds = withOutput(body) ? [...drawn.promptIds, ...seen.slice(0, -1)] : drawn.promptIds;
  await writeStates(model, states, { id: drawn.id, tokenIds, fault: file });
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await Promise.race([closed, delay(1_000)]);
}
