import { SepError } from "../../errors.ts";
import type { GgufArchitecture } from "./gguf-config.ts";
import type { GgufHeader, GgufTensor } from "./gguf-header.ts";

/** How a GGUF tensor's values become those of the Hugging Face checkpoint. */
type WeightLayout =
  /** As they are. */
  | { readonly kind: "same" }
  /** The rows of each head in another order, see {@link planWeights}. */
  | { readonly kind: "rotary-rows"; readonly headRows: number }
  /** [out, in] to [in, out]. */
  | { readonly kind: "transposed" };

export interface PlannedWeight {
  /** Hugging Face's name. */
  readonly name: string;
  /** Hugging Face's shape. */
  readonly shape: readonly number[];
  readonly tensor: GgufTensor;
  readonly layout: WeightLayout;
}

/**
 * Names every tensor as the Hugging Face checkpoint does and says how its layout differs.
 *
 * Two layouts differ. llama.cpp rotates neighbouring values (2i, 2i + 1) of a head in the architecture `llama`, where
 * Hugging Face rotates (i, i + headSize / 2); its converter permutes the rows of the query and key projections
 * accordingly, which is undone here. And Hugging Face's GPT-2 keeps its projections as Conv1D, [in, out], which the
 * converter transposes to [out, in].
 * @throws SepError `unsupported-model` for a tensor that the architecture's graph has no place for, since without it
 *   the result would be wrong; `bad-checkpoint` for one that does not divide into heads
 */
export function planWeights(
  { path, tensors }: Pick<GgufHeader, "path" | "tensors">,
  architecture: GgufArchitecture,
  {
    blockCount,
    headCount,
    kvHeadCount,
  }: { readonly blockCount: number; readonly headCount: number; readonly kvHeadCount: number },
): PlannedWeight[] {
  const names = NAMES[architecture] ?? LLAMA_NAMES;
  const plan: PlannedWeight[] = [];
  for (const tensor of tensors.values()) {
    const place = /^(?:blk\.(?<block>0|[1-9]\d*)\.)?(?<part>.*?)(?<suffix>\.(?:weight|bias))?$/.exec(
      tensor.name,
    );
    const { block, part = "", suffix = "" } = place?.groups ?? {};
    if (UNUSED_PARTS.has(part)) continue;
    const name = block === undefined ? names.outside.get(part) : names.inside.get(part);
    if (name === undefined || suffix === "" || (block !== undefined && Number(block) >= blockCount))
      throw new SepError(
        "unsupported-model",
        `${path}: tensor ${JSON.stringify(tensor.name)} has no place in a ${architecture} of ${blockCount} blocks.`,
      );
    const prefix = block === undefined ? "" : `${names.blocks}.${Number(block)}.`;
    const heads = part === "attn_q" ? headCount : kvHeadCount;
    const layout: WeightLayout =
      architecture === "llama" && (part === "attn_q" || part === "attn_k")
        ? { kind: "rotary-rows", headRows: rowsPerHead(tensor, heads, path) }
        : architecture === "gpt2" && CONV1D_PARTS.has(part) && tensor.shape.length === 2
          ? { kind: "transposed" }
          : { kind: "same" };
    const shape = layout.kind === "transposed" ? tensor.shape.toReversed() : tensor.shape;
    plan.push({ name: `${prefix}${name}${suffix}`, shape, tensor, layout });
  }
  return plan;
}

interface TensorNames {
  /** Prefix of a block's tensors, before its number. */
  readonly blocks: string;
  readonly inside: ReadonlyMap<string, string>;
  readonly outside: ReadonlyMap<string, string>;
}

const LLAMA_NAMES: TensorNames = {
  blocks: "model.layers",
  inside: new Map([
    ["attn_norm", "input_layernorm"],
    ["attn_q", "self_attn.q_proj"],
    ["attn_k", "self_attn.k_proj"],
    ["attn_v", "self_attn.v_proj"],
    ["attn_output", "self_attn.o_proj"],
    ["attn_q_norm", "self_attn.q_norm"],
    ["attn_k_norm", "self_attn.k_norm"],
    ["ffn_norm", "post_attention_layernorm"],
    ["ffn_gate", "mlp.gate_proj"],
    ["ffn_up", "mlp.up_proj"],
    ["ffn_down", "mlp.down_proj"],
  ]),
  outside: new Map([
    ["token_embd", "model.embed_tokens"],
    ["output_norm", "model.norm"],
    ["output", "lm_head"],
  ]),
};

const GPT2_NAMES: TensorNames = {
  blocks: "transformer.h",
  inside: new Map([
    ["attn_norm", "ln_1"],
    ["attn_qkv", "attn.c_attn"],
    ["attn_output", "attn.c_proj"],
    ["ffn_norm", "ln_2"],
    ["ffn_up", "mlp.c_fc"],
    ["ffn_down", "mlp.c_proj"],
  ]),
  outside: new Map([
    ["token_embd", "transformer.wte"],
    ["position_embd", "transformer.wpe"],
    ["output_norm", "transformer.ln_f"],
    ["output", "lm_head"],
  ]),
};

/** Gemma's blocks also have a norm after each sublayer. */
const GEMMA3_NAMES: TensorNames = {
  ...LLAMA_NAMES,
  inside: new Map([
    ...LLAMA_NAMES.inside,
    ["post_attention_norm", "post_attention_layernorm"],
    ["ffn_norm", "pre_feedforward_layernorm"],
    ["post_ffw_norm", "post_feedforward_layernorm"],
  ]),
};

/** Those that differ from a Llama's. */
const NAMES: Readonly<Partial<Record<GgufArchitecture, TensorNames>>> = {
  gpt2: GPT2_NAMES,
  gemma3: GEMMA3_NAMES,
};

const CONV1D_PARTS: ReadonlySet<string> = new Set(["attn_qkv", "attn_output", "ffn_up", "ffn_down"]);
/** Rotary frequencies: the first is read with the config, the second stands in old files and follows from it. */
const UNUSED_PARTS: ReadonlySet<string> = new Set(["rope_freqs", "attn_rot_embd"]);

function rowsPerHead({ name, shape, type }: GgufTensor, heads: number, path: string): number {
  const rows = (shape[0] as number) / heads;
  const separable = shape.length > 1 || type.blockSize === 1;
  if (Number.isInteger(rows) && rows % 2 === 0 && separable) return rows;
  throw new SepError(
    "bad-checkpoint",
    `${path}: tensor "${name}" has ${shape[0]} rows, which cannot be divided into ${heads} heads of an even size.`,
  );
}
