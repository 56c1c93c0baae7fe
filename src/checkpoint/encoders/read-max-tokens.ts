import type { ConfigReader } from "../../engine/graph/config-reader.ts";
import { SepError } from "../../errors.ts";

export interface TokenLimits {
  /** `config.json` */
  readonly config: ConfigReader;
  /** `tokenizer_config.json` */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** Of the graph's positions, where it was built here; null for exports. */
  readonly positions: number | null;
  /** What the user or the model's authors ask for beside these. */
  readonly asked: readonly (number | null | undefined)[];
}

/**
 * The longest input of an encoder, its own tokens included: the smallest of all limits that are stated.
 * @throws SepError `bad-checkpoint` if none is stated, `bad-option` if there is no room for a text
 */
export function readMaxTokens({ config, tokenizer, positions, asked }: TokenLimits): number {
  const { model_max_length: tokenizerLimit } = tokenizer;
  const stated = [
    positions ?? (config.has("max_position_embeddings") ? config.size("max_position_embeddings") : null),
    // tokenizers without a limit of their own state 1e30
    typeof tokenizerLimit === "number" && tokenizerLimit < NO_LIMIT ? tokenizerLimit : null,
    ...asked,
  ].filter((limit) => typeof limit === "number");
  const smallest = Math.min(...stated);
  if (!Number.isFinite(smallest)) {
    throw new SepError(
      "bad-checkpoint",
      `${config.path}: nothing states the longest input. Set maxTokens to what the model was trained with.`,
    );
  }
  if (smallest >= FEWEST_TOKENS && Number.isInteger(smallest)) return smallest;
  throw new SepError(
    "bad-option",
    `The longest input would be ${smallest} tokens, expected an integer from ${FEWEST_TOKENS}, since models add some of their own.`,
  );
}

const NO_LIMIT = 1e9;
const FEWEST_TOKENS = 8;
