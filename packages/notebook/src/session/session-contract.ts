import type { Environment } from "semantic-entropy-probes/files";
import type {
  CellSource,
  CellState,
  ControlValue,
  Draft,
  KernelState,
  Output,
  ServerEvent,
} from "../wire.ts";
import type { NotebookDocument, WantedEdit } from "./notebook-document.ts";

export interface SessionOptions {
  /** Arguments that the notebook reads as `args`. */
  readonly args?: readonly string[];
  readonly pressesRunButtons?: boolean;
  /** Of the kernel, `process.env` by default; what its secrets are is nowhere shown and kept. */
  readonly env?: Environment | undefined;
  readonly isLazy?: boolean;
  /** Take over what other programs write into the file. */
  readonly watches?: boolean;
}

type RunWish = readonly number[] | "all" | "stale";

/** An open notebook with its kernel: what the page, the agent and the script all work on. */
export interface Session extends AsyncDisposable {
  readonly document: NotebookDocument;
  readonly kernel: KernelState;
  cells(): readonly CellSource[];
  stateOf(id: number): CellState;
  outputsOf(id: number): readonly Output[];
  /** @returns what takes the listener off again */
  listen(listener: (event: ServerEvent) => void): () => void;
  /**
   * Changes and saves cells; with `run` the changed ones run then, unless nothing ever ran.
   * @param origin who wants it, so that they know their own changes when they come back
   * @throws SepError `stale-revision`, `no-such-cell`
   */
  edit(
    edits: readonly WantedEdit[],
    options?: { readonly run?: boolean; readonly origin?: string | null },
  ): Promise<readonly number[]>;
  run(wish: RunWish): void;
  /** @throws SepError `bad-option` */
  setControl(key: string, value: ControlValue, origin?: string | null): Promise<void>;
  setLazy(isLazy: boolean): void;
  saveDraft(id: number, draft: Draft | null): Promise<void>;
  /** @throws SepError `bad-option` for a name without a value */
  inspect(name: string): Promise<unknown>;
  /** Stops what runs; a kernel that does not react is killed and started again. */
  interrupt(): Promise<void>;
  restart(message?: string): void;
  /** Resolves when nothing runs or waits any more. */
  settled(): Promise<void>;
  /** Keeps what the cells show now, for exports. Happens by itself when a run has come to its end. */
  keepResults(): Promise<void>;
}
