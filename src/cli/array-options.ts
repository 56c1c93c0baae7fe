import { TRACE_POSITIONS, type TracePosition } from "../states/positions.ts";
import { ARRAY_FORMATS, type ArrayFormat } from "../store/array-file.ts";
import { choice, number, type OptionSpec } from "./option-spec.ts";
import { OUTPUT_OPTIONS } from "./step-options.ts";

/** Which states are written, and as what. */
export const ARRAY_OPTIONS: {
  readonly format: OptionSpec<ArrayFormat>;
  readonly position: OptionSpec<TracePosition | "auto">;
  readonly layer: OptionSpec<number | undefined>;
  readonly out: OptionSpec<string>;
  readonly force: OptionSpec<boolean>;
  readonly json: OptionSpec<boolean>;
} = {
  format: choice(
    ARRAY_FORMATS,
    "npz",
    "What to write; ids are in the metadata of safetensors, which have no strings.",
  ),
  position: choice(
    ["auto", ...TRACE_POSITIONS],
    "auto",
    "Token position; auto: the data set's, or of states think-end if it was traced.",
  ),
  layer: number(
    { integer: true, min: 0 },
    undefined,
    "Layer.",
    "the data set's, or of states the last traced one",
  ),
  out: OUTPUT_OPTIONS.out,
  force: OUTPUT_OPTIONS.force,
  json: OUTPUT_OPTIONS.json,
};
