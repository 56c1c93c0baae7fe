import { SepError } from "../errors.ts";
import type { OpenNnsightOptions } from "../pipeline/open-nnsight.ts";
import { flag, type OptionSpec, type OptionValues, text } from "./option-spec.ts";
import { MODEL_OPTIONS } from "./step-options.ts";

/** Of `--backend nnsight`. */
export const NNSIGHT_OPTIONS: {
  readonly python: OptionSpec<string | undefined>;
  readonly "nnsight-device": OptionSpec<string>;
  readonly "nnsight-dtype": OptionSpec<string>;
  readonly ndif: OptionSpec<boolean>;
} = {
  python: text(
    "PATH",
    undefined,
    "Of --backend nnsight: a Python that has nnsight.",
    "one that `uv run` makes",
  ),
  "nnsight-device": text(
    "NAME",
    "auto",
    "Of --backend nnsight: PyTorch's name of a device (cpu, cuda, cuda:1, mps); auto: cuda where there is one, else cpu.",
  ),
  "nnsight-dtype": text(
    "NAME",
    "float32",
    "Of --backend nnsight: PyTorch's type to compute in (float32, bfloat16, float16); auto: what the checkpoint states.",
  ),
  ndif: flag("Of --backend nnsight: compute on NDIF, which has the weights; needs NDIF_API_KEY."),
};

/** Of the local engine alone. */
const LOCAL_OPTIONS = ["dtype", "device", "threads", "memory"] as const;

type Values = OptionValues<
  typeof NNSIGHT_OPTIONS & Pick<typeof MODEL_OPTIONS, Exclude<(typeof LOCAL_OPTIONS)[number], "dtype">>
> & { readonly dtype: string | undefined };

/**
 * What the options say of nnsight.
 * @throws SepError `bad-option` for options of the local engine
 */
export function readNnsightChoices(
  values: Values,
): Pick<OpenNnsightOptions, "python" | "device" | "dtype" | "remote"> {
  const idle = LOCAL_OPTIONS.find(
    (name) => values[name] !== (name === "dtype" ? undefined : MODEL_OPTIONS[name].initial),
  );
  if (idle !== undefined)
    throw new SepError(
      "bad-option",
      `Got --${idle} with --backend nnsight, which does not read it. It has --nnsight-device and --nnsight-dtype.`,
    );
  return {
    python: values.python,
    device: values["nnsight-device"],
    dtype: values["nnsight-dtype"],
    remote: values.ndif,
  };
}

/** @throws SepError `bad-option` if there are options of nnsight where it does not run */
export function refuseNnsightOptions(values: OptionValues<typeof NNSIGHT_OPTIONS>): void {
  const idle = (Object.keys(NNSIGHT_OPTIONS) as (keyof typeof NNSIGHT_OPTIONS)[]).find(
    (name) => values[name] !== NNSIGHT_OPTIONS[name].initial,
  );
  if (idle !== undefined)
    throw new SepError("bad-option", `Got --${idle}, which only --backend nnsight reads.`);
}
