import { rememberDecoded } from "../../engine/answer-text.ts";
import type { ChatMessage, ChatOptions } from "../../engine/tokenizer/chat-template.ts";
import {
  type AddedToken,
  createTextTokenizer,
  type TextTokenizer,
} from "../../engine/tokenizer/text-tokenizer.ts";
import { SepError } from "../../errors.ts";
import { type CallLimits, startSandbox } from "./sandbox.ts";

/** What a tokenizer is made of, unread: `tokenizer.json` alone may be made to take gigabytes when it is parsed. */
export interface TokenizerFiles {
  /** Of `tokenizer.json`, or of what stands for it. */
  readonly path: string;
  readonly sha256: string;
  /** The content of `tokenizer.json`. */
  readonly json: Uint8Array;
  /** As in `tokenizer_config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** A Jinja program and the file that has it; null for models without a chat format. */
  readonly chatTemplate: { readonly path: string; readonly source: string } | null;
}

/** A tokenizer, and the part of `tokenizer.json` that says how texts are framed. */
export interface OpenedTokenizer {
  readonly tokenizer: TextTokenizer;
  readonly postProcessor: unknown;
}

/** What the process is asked, as JSON. */
export type TokenizerRequest = { readonly limitMs: number } & (
  | ({ readonly method: "open" } & Omit<TokenizerFiles, "json">)
  | { readonly method: "encode"; readonly text: string; readonly specialTokens: boolean }
  | { readonly method: "decodeEach"; readonly lists: readonly (readonly number[])[] }
  | { readonly method: "tokenId"; readonly token: string }
  | {
      readonly method: "renderChat";
      readonly messages: readonly ChatMessage[];
      readonly options: ChatOptions;
    }
);

/** What opening gives. */
interface Opening {
  readonly addedTokens: readonly (readonly [text: string, token: AddedToken])[];
  readonly endToken: string | null;
  readonly decodesPiecewise: boolean;
  readonly postProcessor: unknown;
}

/** Per character, and at least: token ids as JSON, of a text that may be many tokens for each character. */
const REPLY_BYTES = 64;
const LEAST_REPLY_BYTES = 1 << 20;
/** Texts of tokens are short; a decoder may lengthen them. */
const TOKEN_BYTES = 1024;
/** A template's own words, and how often it may repeat a message, escapes included. */
const TEMPLATE_BYTES = 32 << 10;
const MESSAGE_BYTES = 8;

/**
 * A tokenizer in a process of its own, with limits of time, memory and size.
 * @throws SepError `hostile-model`, also from every use; else as {@link openHere}
 */
export async function openInSandbox(
  { json, ...files }: TokenizerFiles,
  signal?: AbortSignal,
): Promise<OpenedTokenizer> {
  const { path: file, chatTemplate } = files;
  const { sandbox, opened } = await startSandbox({ method: "open", ...files }, json, { file, signal });
  const { addedTokens, endToken, decodesPiecewise, postProcessor } = opened as Opening;
  const call = (method: string, request: object, limits: Omit<CallLimits, "file">): unknown =>
    sandbox.call({ method, ...request }, { file, ...limits });
  const decodeEach = (lists: readonly (readonly number[])[]): string[] => {
    const size = lists.reduce((sum, { length }) => sum + length, 0);
    const mostReplyBytes = LEAST_REPLY_BYTES + TOKEN_BYTES * size;
    return call("decodeEach", { lists }, { size, mostReplyBytes, act: "decoding tokens" }) as string[];
  };
  const ids = new Map<string, number | null>();
  const tokenizer: TextTokenizer = {
    sha256: files.sha256,
    endToken,
    addedTokens: new Map(addedTokens),
    encode(text, { specialTokens }) {
      const mostReplyBytes = LEAST_REPLY_BYTES + REPLY_BYTES * text.length;
      const limits = { size: text.length, mostReplyBytes, act: "encoding a text" };
      return call("encode", { text, specialTokens }, limits) as number[];
    },
    // every step of every answer asks for the text of a token by itself, which takes the process longer than a short step
    decode: rememberDecoded({
      decode: (tokenIds) => (tokenIds.length === 0 ? "" : (decodeEach([tokenIds])[0] as string)),
    }),
    decodeEach,
    decodesPiecewise,
    tokenId(token) {
      const known = ids.get(token);
      if (known !== undefined) return known;
      const limits = { size: 0, mostReplyBytes: LEAST_REPLY_BYTES, act: "looking a token up" };
      const id = call("tokenId", { token }, limits) as number | null;
      ids.set(token, id);
      return id;
    },
    renderChat:
      chatTemplate === null
        ? null
        : (messages, options) => {
            const size = messages.reduce((sum, { content }) => sum + content.length, 0);
            const mostReplyBytes = TEMPLATE_BYTES + MESSAGE_BYTES * size;
            const act = "rendering the chat template";
            const limits = { size, mostReplyBytes, act, file: chatTemplate.path };
            return sandbox.call({ method: "renderChat", messages, options }, limits) as string;
          },
    [Symbol.dispose]: () => sandbox[Symbol.dispose](),
  };
  return { tokenizer, postProcessor };
}

/**
 * A tokenizer in this process: of files that are trusted, and within the sandbox.
 * @throws SepError `bad-tokenizer`, `bad-checkpoint` if `tokenizer.json` holds no JSON object
 */
export function openHere({ json, chatTemplate, ...files }: TokenizerFiles): OpenedTokenizer {
  const stated = parseTokenizer(files.path, json);
  const tokenizer = createTextTokenizer({
    ...files,
    tokenizer: stated,
    chatTemplate: chatTemplate?.source ?? null,
  });
  return { tokenizer, postProcessor: stated.post_processor };
}

function parseTokenizer(path: string, json: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(json));
  } catch (cause) {
    throw new SepError("bad-checkpoint", `${path} is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw new SepError("bad-checkpoint", `${path} is not a JSON object.`);
}

/**
 * Answers requests one after another; runs in the sandbox's process.
 */
export function createTokenizerServer(): (request: TokenizerRequest, attached: Uint8Array | null) => unknown {
  let tokenizer: TextTokenizer | null = null;
  return (request, attached) => {
    if (request.method === "open") {
      const opened = openHere({ ...request, json: attached as Uint8Array });
      tokenizer = opened.tokenizer;
      const { addedTokens, endToken, decodesPiecewise = false } = tokenizer;
      const { postProcessor } = opened;
      return {
        addedTokens: [...addedTokens],
        endToken,
        decodesPiecewise,
        postProcessor,
      } satisfies Opening;
    }
    const open = tokenizer as TextTokenizer;
    if (request.method === "encode") return open.encode(request.text, request);
    if (request.method === "decodeEach") return request.lists.map((tokenIds) => open.decode(tokenIds));
    if (request.method === "tokenId") return open.tokenId(request.token);
    return open.renderChat?.(request.messages, request.options);
  };
}
