import { SepError } from "../../../errors.ts";
import type { ConfigReader } from "../config-reader.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import { addNormedHeadProjections } from "../parts/linear.ts";
import type { RopeSettings } from "../rope.ts";
import { readRopeSection } from "../rope-settings.ts";
import { type Architecture, COMMON_TENSORS } from "./architecture.ts";
import { addGemmaBlock, GEMMA_DEFAULTS, readGemmaConfig } from "./gemma2.ts";
import { readSlidingLayers, withSlidingBlocks } from "./sliding-blocks.ts";

/** Gemma 3, text: Gemma 2 with norms on query and key heads, and another rotation where a window slides. */
export const gemma3Text: Architecture = {
  modelTypes: ["gemma3_text"],
  readConfig: readGemma3Config,
  addBlock: (scope, layer, stream) => addGemmaBlock(scope, layer, stream, addNormedHeadProjections),
  tensors: COMMON_TENSORS,
};

/** The language model of a Gemma 3 that also sees images; its prompts are texts. */
export const gemma3: Architecture = {
  ...gemma3Text,
  modelTypes: ["gemma3"],
  readConfig(config) {
    const text = config.section("text_config");
    if (text === null) {
      throw new SepError(
        "bad-checkpoint",
        `${config.path}: "text_config" is missing. Is the download complete?`,
      );
    }
    // the head of this class caps nothing, whatever its text part says
    text.allow("final_logit_softcapping", [null]);
    const decoder = readGemma3Config(text);
    return {
      ...decoder,
      modelType: config.text("model_type"),
      tiedEmbeddings: config.flag("tie_word_embeddings", true),
    };
  },
  tensors: {
    ...COMMON_TENSORS,
    roots: ["language_model.model.", "model.language_model."],
    heads: ["language_model.lm_head", "lm_head"],
  },
};

function readGemma3Config(stated: ConfigReader): DecoderConfig {
  const config = stated.withDefaults({
    ...GEMMA_DEFAULTS,
    // the text parts of image models state only what differs from these
    model_type: "gemma3_text",
    vocab_size: 262_208,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    max_position_embeddings: 131_072,
    sliding_window_pattern: 6,
  });
  // transformers reads the field and computes nothing with it
  config.allow("attn_logit_softcapping", [null]);
  const decoder = readGemmaConfig(config, { readRopes });
  const pattern = config.size("sliding_window_pattern");
  const sliding = readSlidingLayers(config, decoder.blockCount, (layer) => (layer + 1) % pattern !== 0);
  const blocks = decoder.blocks.map((block, layer) => ({ ...block, rope: sliding[layer] ? 1 : 0 }));
  return withSlidingBlocks({ ...decoder, blocks }, config.size("sliding_window"), sliding);
}

/** Of the blocks that see everything, and of those that slide. */
function readRopes(config: ConfigReader, headSize: number): readonly [RopeSettings, RopeSettings] {
  const sections = config.section("rope_parameters");
  sections?.refuseOthers(["full_attention", "sliding_attention"]);
  if (sections !== null) config.allow("rope_scaling", [null]);
  const full = sections === null ? config.section("rope_scaling") : sections.section("full_attention");
  const sliding = sections?.section("sliding_attention") ?? null;
  const globalTheta = config.number("rope_theta", 1_000_000);
  const localTheta = config.number("rope_local_base_freq", 10_000);
  return [
    readRopeSection(config, full, { headSize, theta: globalTheta, rotaryShare: null }),
    readRopeSection(config, sliding, { headSize, theta: localTheta, rotaryShare: null }),
  ];
}
