import type { ConfigReader } from "../graph/config-reader.ts";
import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";

/**
 * Every token that ends an answer: those that `generation_config.json`, `config.json` and the tokenizer's config
 * name, and the tokens that end a turn in common chat formats, where the tokenizer has them as special tokens. All of
 * them count, since checkpoints often name only one: Llama 3's base end token does not end a chat turn.
 */
export function readEndTokens({
  generation,
  config,
  tokenizer,
}: {
  readonly generation: ConfigReader | null;
  readonly config: ConfigReader;
  readonly tokenizer: TextTokenizer;
}): ReadonlySet<number> {
  const stated = [generation, config].flatMap((source) => source?.integers("eos_token_id") ?? []);
  const own = tokenizer.endToken === null ? null : tokenizer.tokenId(tokenizer.endToken);
  const turnEnds = TURN_ENDS.flatMap((text) => {
    const token = tokenizer.addedTokens.get(text);
    return token?.special ? [token.id] : [];
  });
  return new Set([...stated, ...(own === null ? [] : [own]), ...turnEnds]);
}

/** Of ChatML (Qwen, SmolLM2), Llama 3, Gemma, and Phi-3. */
const TURN_ENDS: readonly string[] = ["<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>"];
