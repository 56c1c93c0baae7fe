import { sortByDependency } from "../cell/cell-graph.ts";
import type { CellStatus, ScheduledCell, SchedulerHost, StatusChange } from "./scheduler-contract.ts";

/** The cells of the notebook, their states, and their values. */
interface CellLedger {
  /** By name. */
  readonly values: Map<string, unknown>;
  /** All cells, each after those that it reads. */
  order(): readonly ScheduledCell[];
  has(id: number): boolean;
  stateOf(id: number): LedgerState;
  /** Records a cell's status and reports it. */
  report(id: number, status: CellStatus, more?: Omit<StatusChange, "status">): void;
  /** Takes over what a run gave. */
  keepValues(cell: ScheduledCell, defined: ReadonlyMap<string, unknown>): void;
  /** The cell has no values any more, and its last run is told so. */
  forgetValues(id: number): void;
  /** Cells that are not among these. */
  missingFrom(cells: readonly ScheduledCell[]): number[];
  remove(id: number): void;
  /** Takes over a changed notebook. */
  take(cells: readonly ScheduledCell[]): {
    readonly changed: ReadonlySet<number>;
    readonly fresh: ReadonlySet<number>;
  };
}

export function createCellLedger(host: Pick<SchedulerHost, "report">): CellLedger {
  let order: readonly ScheduledCell[] = [];
  const states = new Map<number, LedgerState>();
  const values = new Map<string, unknown>();
  const stateOf = (id: number): LedgerState => states.get(id) as LedgerState;

  const ledger: CellLedger = {
    values,
    order: () => order,
    has: (id) => states.has(id),
    stateOf,
    report(id, status, more = {}) {
      const state = stateOf(id);
      state.status = status;
      if (status === "stale") state.isOutdated = true;
      host.report(id, { status, ...more });
    },
    keepValues(cell, defined) {
      for (const [name, value] of defined) values.set(name, value);
      const state = stateOf(cell.id);
      state.valuesVersion = cell.version;
      state.isOutdated = false;
    },
    forgetValues(id) {
      const state = stateOf(id);
      state.valuesVersion = null;
      state.controller?.abort(new Error("The cell's values are no longer used."));
      for (const name of state.cell.defines) values.delete(name);
    },
    missingFrom(cells) {
      const ids = new Set(cells.map(({ id }) => id));
      return [...states.keys()].filter((id) => !ids.has(id));
    },
    remove(id) {
      ledger.forgetValues(id);
      states.delete(id);
    },
    take(cells) {
      const changed = new Set<number>();
      const fresh = new Set<number>();
      for (const cell of cells) {
        const state = states.get(cell.id);
        if (state === undefined) {
          states.set(cell.id, freshState(cell));
          fresh.add(cell.id);
          continue;
        }
        if (state.cell.version !== cell.version) {
          for (const name of state.cell.defines) if (!cell.defines.includes(name)) values.delete(name);
          changed.add(cell.id);
        }
        state.cell = cell;
      }
      order = sortByDependency(cells);
      return { changed, fresh };
    },
  };
  return ledger;
}

/** What the scheduler remembers of a cell. */
interface LedgerState {
  cell: ScheduledCell;
  status: CellStatus;
  /** Of the last run; aborted when its values are not used any more. */
  controller: AbortController | null;
  /** Its values are of older code or inputs. */
  isOutdated: boolean;
  /** Of the code that made its values; null when it has none. */
  valuesVersion: string | null;
}

type StateOf = (id: number) => LedgerState;

const freshState = (cell: ScheduledCell): LedgerState => ({
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
interface Obstacle {
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
