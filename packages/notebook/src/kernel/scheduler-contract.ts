import type { GraphCell } from "../cell/cell-graph.ts";

/** A cell as the scheduler sees it. */
export interface ScheduledCell extends Pick<GraphCell, "id" | "defines" | "inputs" | "upstream"> {
  readonly disabled: boolean;
  /** Why it cannot run. */
  readonly problem: string | null;
  /** Changes when its code, its inputs or its switches change. */
  readonly version: string;
}

/** What runs the cells. */
export interface SchedulerHost {
  /**
   * Runs a cell once and hands back the names it defines. `signal` is aborted when the run is not wanted any more.
   * Rejects with {@link CellStopped} when the cell chose not to run.
   */
  run(
    id: number,
    inputs: ReadonlyMap<string, unknown>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, unknown>>;
  report(id: number, change: StatusChange): void;
  /** Nothing runs and nothing waits. */
  idle(): void;
  readonly now: () => number;
}

export interface SchedulerOptions {
  /** Only mark what depends on a change as stale; else it runs. */
  readonly isLazy?: boolean;
  /** After this time, cells that do not depend on a running cell start too, so that nothing blocks everything. */
  readonly patienceMs?: number;
}

/** Decides which cell runs when. */
export interface Scheduler {
  /**
   * Takes a changed notebook. Changed cells and those that depend on them become stale. Those that are running or
   * queued run again with the new code; nothing else runs.
   */
  define(cells: readonly ScheduledCell[]): void;
  /** Runs these cells: first the cells that they need and that have no values, afterwards the cells that depend on them. */
  run(ids: readonly number[]): void;
  runAll(): void;
  runStale(): void;
  /** Changes the value of a name from outside, as a moved slider does: what reads it runs, its own cell does not. */
  setValue(name: string, value: unknown): void;
  /** Stops everything that is running or queued. */
  interrupt(): void;
  setLazy(isLazy: boolean): void;
  /** Changes a name's value and runs nothing. */
  setQuietly(name: string, value: unknown): void;
  readonly values: ReadonlyMap<string, unknown>;
  statusOf(id: number): CellStatus;
  isIdle(): boolean;
}

/**
 * The state of a cell.
 * - idle: never ran
 * - queued, running: soon, now
 * - done: its results are those of the code and inputs that are there
 * - stale: it has results, of older code or inputs
 * - waiting: it stopped itself, until a button is pressed, say
 * - blocked: something that it reads has no value
 */
export type CellStatus =
  | "idle"
  | "queued"
  | "running"
  | "done"
  | "stale"
  | "waiting"
  | "blocked"
  | "disabled"
  | "interrupted"
  | "error";

/** A change of a cell's status, with what belongs to it. */
export interface StatusChange {
  readonly status: CellStatus;
  /** What the cell threw. */
  readonly error?: unknown;
  /** Why it stopped itself. */
  readonly message?: string;
  readonly durationMs?: number;
  readonly blockedBy?: number;
  /** Blocked by a cell that only waits: nothing is wrong. */
  readonly isCalm?: boolean;
}

/** Thrown by `stop(…)` in a cell: it does not run now, and nothing is wrong. */
export class CellStopped extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CellStopped";
  }
}
