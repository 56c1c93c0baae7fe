import type { ConfigReader } from "../config-reader.ts";
import type { Activation } from "../decoder-config.ts";

/** transformers' names (`ACT2FN`); those of one row are the same function up to rounding. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_fast: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  relu: "relu",
  tanh: "tanh",
};

/** @throws SepError `unsupported-model` for a function that is not implemented */
export function readActivation(config: ConfigReader, field: string): Activation {
  config.allow(field, Object.keys(ACTIVATIONS));
  return ACTIVATIONS[config.text(field)] as Activation;
}
