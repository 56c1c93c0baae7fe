import type { CellCode } from "../cell/cell-code.ts";
import type { ControlValue, Output, Progress, ShownError } from "../wire.ts";
import type { CellStatus, ScheduledCell } from "./scheduler-contract.ts";

/** A cell as the kernel gets it. */
export interface KernelCell extends ScheduledCell {
  /** null when it has a problem. */
  readonly compiled: CellCode | null;
  /** Of its source and those of all cells above it. */
  readonly cacheVersion: string;
  /** The problem with its place. */
  readonly shownProblem: ShownError | null;
}

/** Given to the kernel when it starts. */
export interface KernelSettings {
  /** The notebook's file: imports resolve from its folder. */
  readonly path: string;
  /** Where the cache and bundled modules go. */
  readonly storageFolder: string;
  /** Arguments after `--` on the command line. */
  readonly args: readonly string[];
  /** Run buttons count as pressed: nobody is there to press them. */
  readonly pressesRunButtons: boolean;
  readonly isLazy: boolean;
  /** Values of inputs from before a restart. */
  readonly controls: readonly (readonly [string, ControlValue])[];
}

export type ToKernel =
  | { readonly kind: "open"; readonly settings: KernelSettings }
  | { readonly kind: "define"; readonly cells: readonly KernelCell[] }
  | { readonly kind: "run"; readonly ids: readonly number[] | "all" | "stale" }
  | { readonly kind: "interrupt" }
  | { readonly kind: "lazy"; readonly isLazy: boolean }
  | { readonly kind: "control"; readonly request: number; readonly key: string; readonly value: ControlValue }
  | { readonly kind: "inspect"; readonly request: number; readonly name: string }
  | { readonly kind: "ping"; readonly request: number };

export type FromKernel =
  | { readonly kind: "ready" }
  | {
      readonly kind: "status";
      readonly id: number;
      readonly status: CellStatus;
      readonly error: ShownError | null;
      readonly message: string | null;
      readonly isCalm: boolean;
      readonly durationMs: number | null;
    }
  /** Replaces what the cell shows from position `from` on. */
  | {
      readonly kind: "outputs";
      readonly id: number;
      readonly from: number;
      readonly outputs: readonly Output[];
    }
  | { readonly kind: "progress"; readonly id: number; readonly progress: Progress | null }
  | { readonly kind: "control"; readonly key: string; readonly value: ControlValue }
  | { readonly kind: "idle" }
  | {
      readonly kind: "answer";
      readonly request: number;
      readonly value: unknown;
      readonly error: string | null;
    };
