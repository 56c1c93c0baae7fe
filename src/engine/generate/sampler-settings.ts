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
