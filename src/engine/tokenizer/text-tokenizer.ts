import { Tokenizer } from "@huggingface/tokenizers";
import { SepError } from "../../errors.ts";
import { withExactCharsmaps } from "./charsmap.ts";
import { createChatRenderer, type RenderChat } from "./chat-template.ts";

/** Text to token ids and back, and the model's own chat format; to be disposed where it has a process of its own. */
export interface TextTokenizer extends Partial<Disposable> {
  /** SHA-256 of `tokenizer.json`, or of what stands for it. */
  readonly sha256: string;
  /** `specialTokens` adds the tokens that a plain text starts or ends with, such as BOS. */
  encode(text: string, options: { readonly specialTokens: boolean }): number[];
  /** All tokens as text, special ones included. */
  decode(tokenIds: readonly number[]): string;
  /** The text of each list as `decode` gives it, where asking for many at once is faster. */
  decodeEach?(lists: readonly (readonly number[])[]): string[];
  /**
   * Whether tokens that decode to whole characters have the same text whatever stands before them, as where tokens are bytes;
   * not if left out.
   */
  readonly decodesPiecewise?: boolean;
  /** The id of a token that stands for exactly this text, or null. */
  tokenId(token: string): number | null;
  /** Tokens that are matched as a whole before the text around them is split, by their text. */
  readonly addedTokens: ReadonlyMap<string, AddedToken>;
  /** End-of-sequence token of the tokenizer's own config, or null. */
  readonly endToken: string | null;
  /** null for models without a chat format. */
  readonly renderChat: RenderChat | null;
}

export interface AddedToken {
  readonly id: number;
  /** A control token, which no text that people write contains. */
  readonly special: boolean;
}

/** What a tokenizer is made of, wherever it comes from. */
interface TokenizerParts {
  /** Shown in errors. */
  readonly path: string;
  readonly sha256: string;
  /** As in `tokenizer.json`. */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** As in `tokenizer_config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** A Jinja program, or null. */
  readonly chatTemplate: string | null;
}

/**
 * A tokenizer in this process, whatever its files make it do: for those that are trusted, and for the sandbox.
 * @throws SepError `bad-tokenizer`
 */
export function createTextTokenizer(parts: TokenizerParts): TextTokenizer {
  const { path, sha256, config, chatTemplate } = parts;
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(parts.tokenizer, config);
    tokenizer.normalizer = withExactCharsmaps(parts.tokenizer.normalizer, tokenizer.normalizer);
  } catch (cause) {
    throw new SepError("bad-tokenizer", `${path} cannot be used: ${(cause as Error).message}`, { cause });
  }
  return {
    sha256,
    encode: (text, { specialTokens }) => tokenizer.encode(text, { add_special_tokens: specialTokens }).ids,
    decode: (tokenIds) =>
      tokenIds.length === 0
        ? "" // the library refuses no tokens at all, and an answer may be its end token alone
        : tokenizer.decode([...tokenIds], {
            skip_special_tokens: false,
            clean_up_tokenization_spaces: false,
          }),
    decodesPiecewise: hasByteDecoder(parts.tokenizer),
    tokenId: (token) => tokenizer.token_to_id(token) ?? null,
    addedTokens: new Map(
      [...tokenizer.get_added_tokens_decoder()].map(([id, { content, special }]) => [
        content,
        { id, special: special === true },
      ]),
    ),
    endToken: tokenText(config.eos_token),
    renderChat: chatTemplate === null ? null : createChatRenderer(chatTemplate, readTemplateTokens(config)),
  };
}

/** Other decoders treat a text's first token, or a word's last one, in another way. */
const hasByteDecoder = ({ decoder }: TokenizerParts["tokenizer"]): boolean =>
  typeof decoder === "object" && decoder !== null && "type" in decoder && decoder.type === "ByteLevel";

/** What chat templates write at the beginning and the end. */
function readTemplateTokens(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const names = ["bos_token", "eos_token", "unk_token", "pad_token"];
  return Object.fromEntries(names.map((name) => [name, tokenText(config[name]) ?? ""]));
}

/** Tokens are stored as text, or as an object that holds it. */
function tokenText(token: unknown): string | null {
  if (typeof token === "string") return token;
  if (typeof token !== "object" || token === null || !("content" in token)) return null;
  return typeof token.content === "string" ? token.content : null;
}
