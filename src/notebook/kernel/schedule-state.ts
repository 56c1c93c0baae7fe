import type { CellStatus } from "./cell-status.ts";
import type { ScheduledCell } from "./scheduler-contract.ts";

/** What the scheduler remembers of a cell. */
export interface CellState {
  cell: ScheduledCell;
  status: CellStatus;
  /** Of the last run; aborted when its values are not used any more. */
  controller: AbortController | null;
  /** Its values are of older code or inputs. */
  isOutdated: boolean;
  /** Of the code that made its values; null when it has none. */
  valuesVersion: string | null;
}

type StateOf = (id: number) => CellState;

export const freshState = (cell: ScheduledCell): CellState => ({
  cell,
  status: "idle",
  controller: null,
  isOutdated: false,
  valuesVersion: null,
});

/** Cells above some others whose values are not there or not current. */
export function missingAncestors(ids: ReadonlySet<number>, stateOf: StateOf): Set<number> {
  const found = new Set<number>();
  const pending = [...ids];
  while (pending.length > 0) {
    for (const id of stateOf(pending.pop() as number).cell.upstream) {
      const { status, cell } = stateOf(id);
      if (found.has(id) || ids.has(id) || cell.disabled || SETTLED.has(status)) continue;
      found.add(id);
      pending.push(id);
    }
  }
  return found;
}

/** How a cell stands once it has values: what was made from stale values is stale itself. */
export const statusWithValues = ({ upstream }: ScheduledCell, stateOf: StateOf): CellStatus =>
  upstream.some((source) => stateOf(source).status === "stale") ? "stale" : "done";

/** What keeps a cell from running: the first cell above it without values. */
export interface Obstacle {
  readonly blockedBy: number;
  /** Nothing is wrong there: it waits, or it is left out. */
  readonly isCalm: boolean;
}

export function findObstacle({ upstream }: ScheduledCell, stateOf: StateOf): Obstacle | null {
  const id = upstream.find((source) => stateOf(source).valuesVersion === null);
  if (id === undefined) return null;
  return { blockedBy: id, isCalm: stateOf(id).status === "disabled" || isWaiting(id, stateOf) };
}

function isWaiting(id: number, stateOf: StateOf): boolean {
  const { status, cell } = stateOf(id);
  return (
    status === "waiting" ||
    (status === "blocked" && cell.upstream.some((source) => isWaiting(source, stateOf)))
  );
}

/** A wish for a cell below does not run these again. */
const SETTLED: ReadonlySet<CellStatus> = new Set(["done", "running", "queued", "waiting", "error"]);
