import { sortByDependency } from "../graph/sort-by-dependency.ts";
import type { CellStatus, StatusChange } from "./cell-status.ts";
import { type CellState, freshState } from "./schedule-state.ts";
import type { ScheduledCell, SchedulerHost } from "./scheduler-contract.ts";

/** What there is: the cells of the notebook, how each stands, and the values that they gave. */
export interface CellLedger {
  /** By name. */
  readonly values: Map<string, unknown>;
  /** All cells, each after those that it reads. */
  order(): readonly ScheduledCell[];
  has(id: number): boolean;
  stateOf(id: number): CellState;
  /** Notes how a cell stands, and says so. */
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
  const states = new Map<number, CellState>();
  const values = new Map<string, unknown>();
  const stateOf = (id: number): CellState => states.get(id) as CellState;

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
      state.controller?.abort(new Error("The cell's values are not used any more."));
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
