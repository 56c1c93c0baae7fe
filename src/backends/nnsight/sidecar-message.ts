import { z } from "zod";

/** What the Python process is asked to load. */
export interface OpenRequest {
  readonly kind: "open";
  /** A folder in Hugging Face format, or with `remote` a model of the hub. */
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

/** @returns null for a line that is none of the protocol's */
export function parseSidecarMessage(line: string): SidecarMessage | null {
  try {
    return MESSAGE.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
