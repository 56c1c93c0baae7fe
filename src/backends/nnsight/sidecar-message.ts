import { z } from "zod";
import { SepError } from "../../errors.ts";

/** What the Python process has to load. */
export interface OpenRequest {
  readonly kind: "open";
  /** A folder in Hugging Face format, or with `remote` a model on the hub. */
  readonly model: string;
  /** Where its tokenizer is on this machine. */
  readonly folder: string;
  readonly revision: string | null;
  /** `auto`, or PyTorch's name: `cpu`, `cuda`, `cuda:1`, `mps`. */
  readonly device: string;
  /** `auto` (what the checkpoint states), or PyTorch's name. */
  readonly dtype: string;
  /** true: on NDIF; `local`: here, by the way that work takes to NDIF. */
  readonly remote: boolean | "local";
}

/** Which states of which sequences go into which file. */
export interface ReadRequest {
  readonly kind: "read";
  readonly id: number;
  /** safetensors: `states` F32 [all positions in order, layers, D] and `token_ids` I64 [all positions]. */
  readonly file: string;
  readonly layers: readonly number[];
  readonly sequences: readonly {
    readonly token_ids: readonly number[];
    readonly positions: readonly number[];
  }[];
}

/** What it loaded. */
export interface SidecarModel {
  readonly block_count: number;
  readonly hidden_size: number;
  readonly vocabulary_size: number;
  /** The class of transformers that computes. */
  readonly architecture: string;
  /** Where its blocks are: `model.layers`, `transformer.h`. */
  readonly blocks: string;
  readonly device: string;
  readonly dtype: string;
  /** Of Python and the packages that compute. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What the process says; see `sidecars/nnsight_states.py`. */
export type SidecarMessage =
  | { readonly kind: "progress"; readonly message: string }
  | ({ readonly kind: "ready" } & SidecarModel)
  | { readonly kind: "states"; readonly id: number; readonly file: string }
  | { readonly kind: "error"; readonly id: number | null; readonly code: string; readonly message: string };

const MESSAGE: z.ZodType<SidecarMessage> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("progress"), message: z.string() }),
  z.object({
    kind: z.literal("ready"),
    block_count: z.int().positive(),
    hidden_size: z.int().positive(),
    vocabulary_size: z.int().positive(),
    architecture: z.string(),
    blocks: z.string(),
    device: z.string(),
    dtype: z.string(),
    versions: z.record(z.string(), z.string()),
  }),
  z.object({ kind: z.literal("states"), id: z.int(), file: z.string() }),
  z.object({ kind: z.literal("error"), id: z.int().nullable(), code: z.string(), message: z.string() }),
]);

/** @returns null for a line that is not part of the protocol */
export function parseSidecarMessage(line: string): SidecarMessage | null {
  try {
    return MESSAGE.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** The packages that the Python process imports, as arguments of pip. */
const PACKAGES = "nnsight torch transformers safetensors accelerate";

/** Turns the failure of a read, or of the start, into an error that says what to do. */
export function explainSidecarError(code: string, message: string): SepError {
  switch (code) {
    case "nnsight-missing":
      return new SepError(
        "nnsight-missing",
        `Python cannot import what --backend nnsight needs: ${message}. Install it with \`pip install ${PACKAGES}\` for that Python, name another Python with --python, or install \`uv\` and leave out --python.`,
      );
    case "no-device":
      return new SepError(
        "device-unavailable",
        `${message}. Use --nnsight-device cpu, or install a PyTorch build for that device in the Python given by --python.`,
      );
    case "out-of-memory":
      return new SepError(
        "out-of-memory",
        `The model does not fit: ${message}. Use --dtype bfloat16, another --nnsight-device, a smaller model, or fewer tokens per pass (SEP_NNSIGHT_TOKENS_PER_PASS, 4096 by default).`,
      );
    case "bad-option":
      return new SepError("bad-option", `nnsight: ${message}. Use for example float32 or bfloat16.`);
    case "bad-model":
      return new SepError(
        "unsupported-model",
        `${message}, but --backend nnsight needs a decoder whose blocks are in one list. Use another model.`,
      );
    default:
      return new SepError(
        "sidecar-failed",
        `The Python process of --backend nnsight failed: ${message}. Run it again with SEP_DEBUG=1 to see all that it prints.`,
      );
  }
}

/** The process could not be started at all. */
export function explainNoProgram(program: string, isUv: boolean, cause: NodeJS.ErrnoException): SepError {
  const found =
    cause.code === "ENOENT" ? "is not installed or not on the PATH" : `does not start (${cause.code})`;
  return new SepError(
    "python-missing",
    isUv
      ? `--backend nnsight runs Python with \`${program}\`, which ${found}. Install uv, or name a Python that has nnsight with --python PATH.`
      : `--python names ${program}, which ${found}. Name a Python that has nnsight, or install \`uv\` and leave out --python.`,
    { cause },
  );
}

/**
 * The process ended by itself.
 * @param how "exit code 1", or the name of a signal
 * @param printed the end of what it printed to standard error
 */
export function explainSidecarEnd(how: string, printed: string): SepError {
  // the kernel's way of saying that there is no memory left
  if (how === "SIGKILL")
    return new SepError(
      "out-of-memory",
      "The Python process of --backend nnsight was killed, most likely because the memory was full. Use --dtype bfloat16 or a smaller model.",
    );
  const last = printed.trimEnd().split("\n").slice(-5).join("\n");
  return new SepError(
    "sidecar-failed",
    `The Python process of --backend nnsight ended (${how})${last === "" ? "" : `. Its last output was:\n${last}\n`}. Run the same command again; the states read so far are kept.`,
  );
}
