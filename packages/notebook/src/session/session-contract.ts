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

export interface NotebookSessionOptions {
  /** Arguments that the notebook reads as `args`. */
  readonly args?: readonly string[];
  readonly pressesRunButtons?: boolean;
  /** Environment of the kernel, `process.env` by default; its secrets are redacted from everything that is shown or kept. */
  readonly env?: Environment | undefined;
  readonly isLazy?: boolean;
  /** Reload the file when other programs write it. */
  readonly watches?: boolean;
}

type RunWish = readonly number[] | "all" | "stale";

/** An open notebook with its kernel: what the page, the agent and the script all work on. */
export interface NotebookSession extends AsyncDisposable {
  readonly document: NotebookDocument;
  readonly kernel: KernelState;
  cells(): readonly CellSource[];
  stateOf(id: number): CellState;
  outputsOf(id: number): readonly Output[];
  /** @returns a function that removes the listener */
  listen(listener: (event: ServerEvent) => void): () => void;
  /**
   * Changes and saves cells; with `run`, the changed ones and their readers run afterwards.
   * @param origin who made the change, so that they recognise it when it comes back as an event
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
  /** Keeps what the cells show now, for exports. Happens by itself when a run has ended. */
  keepResults(): Promise<void>;
}
