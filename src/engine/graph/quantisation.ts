import type { ModelDtype } from "../runtime/device.ts";
import type { LinearWeight } from "./graph-scope.ts";
import type { LinearFormat } from "./linear-format.ts";
import { INT4_LINEAR } from "./parts/int4-linear.ts";
import { INT8_LINEAR } from "./parts/int8-linear.ts";

/** How a model's linear maps are kept in fewer bits. */
export interface Quantisation {
  /** Names the cache of weights in this form: a change in how they are made needs a new name. */
  readonly kind: string;
  formatOf(weight: LinearWeight): LinearFormat;
}

export const QUANTISATIONS: Readonly<Record<ModelDtype, Quantisation | null>> = {
  float32: null,
  int8: { kind: "int8-rows", formatOf: () => INT8_LINEAR },
  // in four bits the head alone makes a quarter of the distance from the float32 model
  int4: { kind: "int4-blocks", formatOf: ({ isHead }) => (isHead ? INT8_LINEAR : INT4_LINEAR) },
};
