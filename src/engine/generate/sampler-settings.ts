import type { ConfigReader } from "../graph/config-reader.ts";
import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";

/** Everything that shapes the distribution a sample is drawn from, and where it stops. */
export interface SamplerSettings {
  /** 0 means greedy. */
  readonly temperature: number;
  /** Nucleus: keep the fewest tokens whose probability reaches this; 1 keeps all. */
  readonly topP: number;
  /** Keep this many tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep tokens of at least this share of the most likely one's probability; 0 keeps all. */
  readonly minP: number;
  /** Logits of tokens seen in prompt or answer are divided (positive) or multiplied (negative) by this; 1 is off. */
  readonly repetitionPenalty: number;
  readonly maxNewTokens: number;
  /** Generation ends at the first of these in the decoded answer; the stop string is not part of the answer. */
  readonly stopStrings: readonly string[];
  /** Token ids that end generation beside the model's own end tokens. */
  readonly stopTokenIds: readonly number[];
}

/** How a model's authors sample from it. */
export interface GenerationDefaults {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
}

/** The model's own distribution. */
export const WHOLE_DISTRIBUTION: Required<GenerationDefaults> = {
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
};

/**
 * The sampling settings in `generation_config.json`.
 * @returns null if there is none, or where it does not ask for sampling (`do_sample`)
 */
export function readGenerationDefaults(generation: ConfigReader | null): GenerationDefaults | null {
  if (generation === null || !generation.flag("do_sample", false)) return null;
  const read = <K extends keyof GenerationDefaults>(key: K, field: string): GenerationDefaults =>
    generation.has(field) ? { [key]: generation.number(field) } : {};
  return {
    ...read("temperature", "temperature"),
    ...read("topP", "top_p"),
    ...read("topK", "top_k"),
    ...read("minP", "min_p"),
    ...read("repetitionPenalty", "repetition_penalty"),
  };
}

/** The files of a checkpoint that name end tokens. */
export interface EndTokenSources {
  readonly generation: ConfigReader | null;
  readonly config: ConfigReader;
  readonly tokenizer: Pick<TextTokenizer, "endToken" | "tokenId" | "addedTokens">;
}

/**
 * Every token that ends an answer: those that `generation_config.json`, `config.json` and the tokenizer's config
 * name, and the tokens that end a turn in common chat formats, where the tokenizer has them as special tokens. All of
 * them count, since checkpoints often name only one: Llama 3's base end token does not end a chat turn.
 */
export function readEndTokens({ generation, config, tokenizer }: EndTokenSources): ReadonlySet<number> {
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
