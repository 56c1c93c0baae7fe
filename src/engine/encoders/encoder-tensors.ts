/** Names of an encoder graph's inputs and outputs: those that models exported from Python transformers have. */
export const ENCODER_TENSORS = {
  tokenIds: "input_ids",
  mask: "attention_mask",
  tokenTypes: "token_type_ids",
  logits: "logits",
  hidden: "last_hidden_state",
} as const;
