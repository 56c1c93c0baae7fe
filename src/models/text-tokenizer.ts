import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { Tokenizer } from "@huggingface/tokenizers";
import { SepError } from "../errors.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { readIfThere } from "../store/read-if-there.ts";
import { readJsonFile } from "./read-json-file.ts";

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Text to token ids and back, and the model's own chat format. */
export interface TextTokenizer {
  /** SHA-256 of `tokenizer.json`, or of what stands for it. */
  readonly sha256: string;
  /** @param specialTokens add the ones a bare text starts (or ends) with, such as BOS */
  encode(text: string, options: { readonly specialTokens: boolean }): number[];
  /** All tokens as text, special ones included. */
  decode(tokenIds: readonly number[]): string;
  /** The id of a token that stands for exactly this text, or null. */
  tokenId(token: string): number | null;
  /** End-of-sequence token of the tokenizer's own config, or null. */
  readonly endToken: string | null;
  /** null for models without a chat format. */
  readonly renderChat: ((messages: readonly ChatMessage[], options: ChatOptions) => string) | null;
}

export interface ChatOptions {
  /** End with the start of the assistant's turn. */
  readonly addGenerationPrompt: boolean;
  /** Passed on to templates that know it (Qwen3); undefined leaves the template's own default. */
  readonly enableThinking?: boolean | undefined;
}

/** What a tokenizer is made from, whatever file it stands in. */
export interface TextTokenizerParts {
  /** Named in errors. */
  readonly path: string;
  /** As in `tokenizer.json`. */
  readonly tokenizer: object;
  /** As in `tokenizer_config.json`: the special tokens. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly chatTemplate: string | null;
  readonly sha256: string;
}

/** Loads `tokenizer.json`, `tokenizer_config.json` and the chat template of a checkpoint. */
export async function loadTextTokenizer(directory: string): Promise<TextTokenizer> {
  const path = join(directory, "tokenizer.json");
  const tokenizer = await readJsonFile(path);
  const config = (await readJsonFile(join(directory, "tokenizer_config.json"), { optional: true })) ?? {};
  const chatTemplate = await readChatTemplate(directory, config);
  return createTextTokenizer({
    path,
    tokenizer,
    config,
    chatTemplate,
    sha256: fingerprint(await readFile(path)),
  });
}

/** @throws SepError `bad-tokenizer` */
export function createTextTokenizer({
  path,
  tokenizer: parts,
  config,
  chatTemplate,
  sha256,
}: TextTokenizerParts): TextTokenizer {
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(parts, config);
  } catch (cause) {
    throw new SepError("bad-tokenizer", `${path} cannot be used: ${(cause as Error).message}`, { cause });
  }
  return {
    sha256,
    encode: (text, { specialTokens }) => tokenizer.encode(text, { add_special_tokens: specialTokens }).ids,
    decode: (tokenIds) =>
      tokenizer.decode([...tokenIds], { skip_special_tokens: false, clean_up_tokenization_spaces: false }),
    tokenId: (token) => tokenizer.token_to_id(token) ?? null,
    endToken: tokenText(config.eos_token),
    renderChat: chatTemplate === null ? null : createChatRenderer(path, chatTemplate, config),
  };
}

/** The template stands in `chat_template.jinja` or in the tokenizer's config, there alone or among named ones. */
async function readChatTemplate(directory: string, config: Record<string, unknown>): Promise<string | null> {
  const own = await readIfThere(join(directory, "chat_template.jinja"));
  if (own !== null) return own;
  const stored = config.chat_template;
  if (typeof stored === "string") return stored;
  if (!Array.isArray(stored)) return null;
  const named = stored as readonly { readonly name?: unknown; readonly template?: unknown }[];
  const chosen = named.find(({ name }) => name === "default") ?? named[0];
  return typeof chosen?.template === "string" ? chosen.template : null;
}

function createChatRenderer(
  path: string,
  source: string,
  config: Readonly<Record<string, unknown>>,
): (messages: readonly ChatMessage[], options: ChatOptions) => string {
  let template: Template;
  try {
    template = new Template(source);
  } catch (cause) {
    throw new SepError(
      "bad-tokenizer",
      `${path}: its chat template cannot be parsed: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
  return (messages, { addGenerationPrompt, enableThinking }) => {
    try {
      return template.render({
        messages,
        add_generation_prompt: addGenerationPrompt,
        bos_token: tokenText(config.bos_token) ?? "",
        eos_token: tokenText(config.eos_token) ?? "",
        ...(enableThinking === undefined ? {} : { enable_thinking: enableThinking }),
      });
    } catch (cause) {
      throw new SepError("bad-tokenizer", `The model's chat template failed: ${(cause as Error).message}`, {
        cause,
      });
    }
  };
}

/** Tokens are stored as text, or as an object that holds it. */
function tokenText(token: unknown): string | null {
  if (typeof token === "string") return token;
  if (typeof token !== "object" || token === null || !("content" in token)) return null;
  return typeof token.content === "string" ? token.content : null;
}
