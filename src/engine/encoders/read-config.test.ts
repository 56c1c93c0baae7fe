import { describe, expect, it } from "vitest";
import { createConfigReader } from "../graph/config-reader.ts";
import type { EncoderConfig } from "./encoder-architecture.ts";
import { findEncoderArchitecture } from "./registry.ts";

const SIZES = {
  vocab_size: 100,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
};

/** What the architecture makes of a config that has the sizes and these fields. */
function read(fields: Readonly<Record<string, unknown>>): EncoderConfig {
  const config = createConfigReader("config.json", { ...SIZES, ...fields });
  return findEncoderArchitecture(config).readConfig(config);
}

describe("public checkpoints", () => {
  it("DeBERTa-v3-small, whose kinds of attention are one text", () => {
    const config = read({
      model_type: "deberta-v2",
      hidden_size: 768,
      num_attention_heads: 12,
      max_position_embeddings: 512,
      relative_attention: true,
      position_buckets: 256,
      norm_rel_ebd: "layer_norm",
      share_att_key: true,
      pos_att_type: "p2c|c2p",
      layer_norm_eps: 1e-7,
      max_relative_positions: -1,
      position_biased_input: false,
      type_vocab_size: 0,
      pooler_dropout: 0,
      pooler_hidden_act: "gelu",
      pooler_hidden_size: 768,
    });
    expect(config).toMatchObject({
      maxPositions: 512,
      firstPosition: null,
      tokenTypes: 0,
      convolution: null,
    });
    expect(config.relative).toEqual({
      span: 256,
      buckets: 256,
      maxDistance: 512,
      contentToPosition: true,
      positionToContent: true,
      sharedProjections: true,
      normed: true,
    });
    expect(config.attentionScale).toBeCloseTo(1 / Math.sqrt(3 * 64), 12);
  });

  it("DeBERTa-v2-xlarge has a convolution", () => {
    const config = read({
      model_type: "deberta-v2",
      conv_kernel_size: 3,
      conv_act: "gelu",
      attention_head_size: 16,
      pos_att_type: ["p2c", "c2p"],
    });
    expect(config.convolution).toEqual({ kernelSize: 3, groups: 1, activation: "gelu" });
  });

  it("RoBERTa counts positions from behind its padding token", () => {
    const config = read({ model_type: "roberta", max_position_embeddings: 514, type_vocab_size: 1 });
    expect(config).toMatchObject({
      maxPositions: 512,
      firstPosition: 2,
      tokenTypes: 1,
      headActivation: "tanh",
    });
    expect(read({ model_type: "xlm-roberta", max_position_embeddings: 514 }).maxPositions).toBe(512);
  });

  it("MiniLM is a BERT, with BERT's defaults", () => {
    const config = read({ model_type: "bert", hidden_size: 384, num_attention_heads: 12 });
    expect(config).toMatchObject({
      maxPositions: 512,
      firstPosition: 0,
      tokenTypes: 2,
      normEpsilon: 1e-12,
      activation: "gelu",
      headSize: 32,
    });
  });
});

it.each([
  [{ model_type: "distilbert" }, /"distilbert" is not implemented\. .*encoders bert, deberta-v2, roberta/],
  [{ model_type: "bert", is_decoder: true }, /"is_decoder" is true/],
  [
    { model_type: "bert", position_embedding_type: "relative_key" },
    /"position_embedding_type" is "relative_key"/,
  ],
  [{ model_type: "bert", embedding_size: 32 }, /"embedding_size" is 32/],
  [{ model_type: "bert", hidden_act: "mish" }, /"hidden_act" is "mish"/],
  [{ model_type: "roberta", add_cross_attention: true }, /"add_cross_attention" is true/],
  [{ model_type: "deberta-v2", conv_kernel_size: 3, conv_act: "mish" }, /"conv_act" is "mish"/],
])("%j is refused", (fields, message) => {
  expect(() => read(fields)).toThrow(
    expect.objectContaining({
      code: "unsupported-model",
      message: expect.stringMatching(message) as string,
    }) as Error,
  );
});
