import type { CellProblem } from "./cell/cell-code.ts";
import type { CellKind } from "./format/notebook-file.ts";
import type { CellStatus } from "./kernel/scheduler-contract.ts";

/** What a cell shows, in the form in which it travels from the kernel to the page and into an export. */
export type Output =
  | { readonly kind: "text"; readonly text: string; readonly isCut?: boolean }
  /** Something that was logged. */
  | { readonly kind: "log"; readonly level: "log" | "warn" | "error"; readonly text: string }
  /** Unsanitised markup: whoever draws it sanitises it. */
  | { readonly kind: "html"; readonly html: string; readonly isSvg?: boolean }
  | TableOutput
  | {
      readonly kind: "control";
      readonly key: string;
      readonly control: ControlSpec;
      readonly value: ControlValue;
    };

/** Rows of texts; columns of numbers are marked, so that they are aligned on the right. */
export interface TableOutput {
  readonly kind: "table";
  readonly columns: readonly { readonly name: string; readonly isNumeric: boolean }[];
  readonly rows: readonly (readonly string[])[];
  /** How many rows there are; more than `rows` has when it was cut. */
  readonly total: number;
}

/** A value that travels as JSON. */
export type ControlValue =
  | null
  | boolean
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { readonly name: string; readonly base64: string };

interface Labelled {
  readonly label: string;
}

/** An input, as the page draws it. */
export type ControlSpec =
  | (Labelled & {
      readonly type: "slider" | "number";
      readonly min: number;
      readonly max: number;
      readonly step: number;
    })
  /** Two ends of an interval. */
  | (Labelled & { readonly type: "range"; readonly min: number; readonly max: number; readonly step: number })
  | (Labelled & { readonly type: "select"; readonly options: readonly string[] })
  | (Labelled & { readonly type: "multiselect"; readonly options: readonly string[] })
  | (Labelled & { readonly type: "checkbox" })
  | (Labelled & { readonly type: "text"; readonly placeholder: string })
  /** `button` counts its presses; `run-button` is true while what it started runs, and false else. */
  | (Labelled & { readonly type: "button" | "run-button" })
  | (Labelled & { readonly type: "file"; readonly accept: string })
  /** Its value is the numbers of the rows that are chosen. */
  | (Labelled & { readonly type: "table"; readonly table: TableOutput; readonly isMultiple: boolean });

/** Progress of long work. */
export interface Progress {
  readonly label: string;
  readonly done: number;
  /** null when it is not known. */
  readonly total: number | null;
  readonly detail: string;
  readonly elapsedMs: number;
  readonly etaMs: number | null;
  /** What was noted and warned of, the newest last. */
  readonly messages: readonly { readonly level: "note" | "warning"; readonly text: string }[];
  readonly isFinished: boolean;
}

/** An error as the page shows it. */
export interface ShownError extends CellProblem {
  readonly stack: string | null;
}

/** A cell's state, apart from its source. */
export interface CellState {
  readonly status: CellStatus;
  readonly error: ShownError | null;
  /** Why it waits, or what blocks it. */
  readonly message: string | null;
  readonly isCalm: boolean;
  readonly durationMs: number | null;
  /** Counts its runs in this kernel. */
  readonly runs: number;
  readonly progress: Progress | null;
}

/** A cell's source and place in the graph. */
export interface CellSource {
  readonly id: number;
  readonly kind: CellKind;
  readonly type: string;
  /** Not there in app mode: code stays on the server. */
  readonly source: string;
  readonly revision: string;
  readonly pinned: boolean;
  readonly disabled: boolean;
  readonly defines: readonly string[];
  readonly upstream: readonly number[];
  readonly problem: CellProblem | null;
  /** Text that was typed and is not saved yet. */
  readonly draft: Draft | null;
}

/** Unsaved text. */
export interface Draft {
  readonly text: string;
  /** The revision that it began from. */
  readonly base: string;
  /** When it was typed, milliseconds since 1970. */
  readonly atMs: number;
}

/** The kernel's state. */
export interface KernelState {
  readonly status: "starting" | "ready" | "busy" | "dead";
  readonly isLazy: boolean;
  /** Why it died or was restarted; null when all is well. */
  readonly message: string | null;
}

/** What the server tells the page. */
export type ServerEvent =
  | {
      readonly kind: "snapshot";
      readonly title: string;
      readonly path: string;
      readonly mode: "edit" | "app";
      readonly cells: readonly CellSource[];
      readonly states: readonly (readonly [number, CellState])[];
      readonly outputs: readonly (readonly [number, readonly Output[]])[];
      readonly kernel: KernelState;
    }
  | {
      readonly kind: "cells";
      readonly title: string;
      readonly cells: readonly CellSource[];
      readonly origin: string | null;
    }
  | { readonly kind: "state"; readonly id: number; readonly state: CellState }
  /** Replaces what a cell shows from position `from` on. */
  | {
      readonly kind: "outputs";
      readonly id: number;
      readonly from: number;
      readonly outputs: readonly Output[];
    }
  | {
      readonly kind: "control";
      readonly key: string;
      readonly value: ControlValue;
      readonly origin: string | null;
    }
  | { readonly kind: "kernel"; readonly kernel: KernelState };

/** The state of a cell that never ran. */
export const FRESH_STATE: CellState = {
  status: "idle",
  error: null,
  message: null,
  isCalm: false,
  durationMs: null,
  runs: 0,
  progress: null,
};
