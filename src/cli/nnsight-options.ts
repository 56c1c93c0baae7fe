import type { OpenNnsightOptions } from "../backends/nnsight/open-nnsight.ts";
import { SepError } from "../errors.ts";
import { choice, flag, type OptionSpec, type OptionValues, text } from "./option-spec.ts";
import { MODEL_OPTIONS } from "./step-options.ts";

const STATE_BACKENDS = ["local", "hf", "vllm", "nnsight"] as const;
/** What both PyTorch and `--dtype` know. */
const TORCH_DTYPES = ["auto", "float32", "bfloat16", "float16"] as const;

/** Where hidden states are read. */
export const STATE_BACKEND_OPTION: {
  readonly backend: OptionSpec<(typeof STATE_BACKENDS)[number]>;
} = {
  backend: choice(
    STATE_BACKENDS,
    "local",
    "What reads the states: the engine (hf is another name of it), vLLM, or Python with nnsight; docs/backends.md.",
  ),
};

/** Of `--backend nnsight`. */
export const NNSIGHT_OPTIONS: {
  readonly python: OptionSpec<string | undefined>;
  readonly "nnsight-device": OptionSpec<string>;
  readonly ndif: OptionSpec<boolean>;
} = {
  python: text("PATH", undefined, "Of nnsight: a Python that has it.", "one that `uv run` makes"),
  "nnsight-device": text(
    "NAME",
    "auto",
    "Of nnsight: PyTorch's name of a device (cpu, cuda, cuda:1, mps); auto: cuda where there is one, else cpu.",
  ),
  ndif: flag("Of nnsight: compute on NDIF, which has the weights; needs NDIF_API_KEY."),
};

/** Of the local engine alone. */
const LOCAL_OPTIONS = ["device", "threads", "memory"] as const;

type Values = OptionValues<
  typeof STATE_BACKEND_OPTION &
    typeof NNSIGHT_OPTIONS &
    Pick<typeof MODEL_OPTIONS, (typeof LOCAL_OPTIONS)[number]>
> & { readonly dtype?: string | undefined };

/**
 * What the options ask of nnsight; null for other backends.
 * @throws SepError `bad-option` for options of one backend with another
 */
export function readNnsightChoice(
  values: Values,
): Pick<OpenNnsightOptions, "python" | "device" | "dtype" | "remote"> | null {
  if (values.backend !== "nnsight") {
    const names = Object.keys(NNSIGHT_OPTIONS) as (keyof typeof NNSIGHT_OPTIONS)[];
    const idle = names.find((name) => values[name] !== NNSIGHT_OPTIONS[name].initial);
    if (idle === undefined) return null;
    throw new SepError("bad-option", `Got --${idle}, which only --backend nnsight reads.`);
  }
  const idle = LOCAL_OPTIONS.find((name) => values[name] !== MODEL_OPTIONS[name].initial);
  if (idle !== undefined)
    throw new SepError(
      "bad-option",
      `Got --${idle} with --backend nnsight, which does not read it. Its device is --nnsight-device.`,
    );
  const { dtype: asked = "float32" } = values;
  const dtype = TORCH_DTYPES.find((name) => name === (asked === "half" ? "float16" : asked));
  if (dtype === undefined)
    throw new SepError(
      "bad-option",
      `Got --dtype ${values.dtype} with --backend nnsight, expected ${TORCH_DTYPES.join(", ")}.`,
    );
  return { python: values.python, device: values["nnsight-device"], dtype, remote: values.ndif };
}
