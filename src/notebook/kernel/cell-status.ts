/**
 * Where a cell stands.
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
