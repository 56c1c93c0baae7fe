import { descendantsOf } from "../cell/cell-graph.ts";
import { createCellLedger, findObstacle, missingAncestors, statusWithValues } from "./cell-ledger.ts";
import {
  CellStopped,
  type ScheduledCell,
  type Scheduler,
  type SchedulerHost,
  type SchedulerOptions,
} from "./scheduler-contract.ts";

interface Run {
  readonly controller: AbortController;
  readonly startMs: number;
  /** While true nothing else starts. */
  holdsTheLine: boolean;
}

/**
 * Runs one cell at a time, in order of dependencies and then of the notebook. A running cell whose inputs change is
 * aborted and runs again; the aborted run's results are ignored.
 */
export function createScheduler(host: SchedulerHost, options: SchedulerOptions = {}): Scheduler {
  const { patienceMs = 500 } = options;
  let isLazy = options.isLazy ?? false;
  const ledger = createCellLedger(host);
  const { values, order, stateOf, report, forgetValues } = ledger;
  const running = new Map<number, Run>();
  /** Queued cells, and whether something that they read has changed; otherwise they need not run. */
  const queue = new Map<number, boolean>();
  let pumpIsDue = false;

  function abandon(id: number, reason: string): void {
    running.get(id)?.controller.abort(new Error(reason));
    running.delete(id);
  }

  function define(cells: readonly ScheduledCell[]): void {
    for (const id of ledger.missingFrom(cells)) {
      abandon(id, "The cell was deleted.");
      queue.delete(id);
      ledger.remove(id);
    }
    const { changed, fresh } = ledger.take(cells);
    for (const id of changed) if (running.has(id)) restart(id);
    for (const id of new Set([...changed, ...descendantsOf(order(), [...changed, ...fresh])])) {
      const { status } = stateOf(id);
      if (queue.has(id)) queue.set(id, true);
      else if (running.has(id)) restart(id);
      else if (status !== "idle") report(id, "stale");
    }
    pump();
  }

  function restart(id: number): void {
    abandon(id, "The cell, or what it reads, has changed.");
    enqueue(id, true);
  }

  function enqueue(id: number, isDue: boolean): void {
    if (!queue.has(id)) report(id, "queued");
    queue.set(id, isDue || queue.get(id) === true);
  }

  function request(ids: Iterable<number>): void {
    const wanted = new Set([...ids].filter((id) => ledger.has(id)));
    for (const id of missingAncestors(wanted, stateOf)) wanted.add(id);
    for (const id of wanted) {
      if (running.has(id)) abandon(id, "The cell was started again.");
      enqueue(id, true);
    }
    follow(wanted);
    pump();
  }

  /** What depends on cells that will run: it runs too, or it is marked. */
  function follow(ids: ReadonlySet<number>): void {
    for (const id of descendantsOf(order(), ids)) {
      if (ids.has(id)) continue;
      if (isLazy) {
        if (stateOf(id).status !== "idle" && !queue.has(id) && !running.has(id)) report(id, "stale");
        continue;
      }
      if (running.has(id)) abandon(id, "What the cell reads has changed.");
      enqueue(id, false);
    }
  }

  function pump(): void {
    if (pumpIsDue) return;
    pumpIsDue = true;
    // after the caller is done, so that several requests become one
    queueMicrotask(() => {
      pumpIsDue = false;
      step();
    });
  }

  function step(): void {
    if ([...running.values()].some(({ holdsTheLine }) => holdsTheLine)) return;
    for (const cell of order()) {
      const isDue = queue.get(cell.id);
      if (isDue === undefined) continue;
      // a cell that cannot run need not wait, least of all one on a circle
      const mustWait = cell.problem === null && !cell.disabled;
      if (mustWait && cell.upstream.some((id) => isPending(id))) continue;
      queue.delete(cell.id);
      if (settleWithoutRun(cell, isDue)) step();
      else void start(cell);
      return;
    }
    if (queue.size === 0 && running.size === 0) host.idle();
  }

  /** Whether a cell will still change, itself or through what it depends on. */
  function isPending(id: number): boolean {
    return queue.has(id) || running.has(id);
  }

  /** Cells that cannot run, or need not. */
  function settleWithoutRun(cell: ScheduledCell, isDue: boolean): boolean {
    const { id } = cell;
    const state = stateOf(id);
    if (cell.disabled) {
      forgetValues(id);
      report(id, "disabled");
      markDependents(id, true);
      return true;
    }
    if (cell.problem !== null) {
      fail(id, { name: "Error", message: cell.problem });
      return true;
    }
    const obstacle = findObstacle(cell, stateOf);
    if (obstacle !== null) {
      forgetValues(id);
      report(id, "blocked", { ...obstacle });
      markDependents(id, true);
      return true;
    }
    if (!isDue && !state.isOutdated && state.valuesVersion === cell.version) {
      report(id, statusWithValues(cell, stateOf));
      return true;
    }
    return false;
  }

  /** Tells the cells that read this one that they are due; with `force` also those that do not wait yet. */
  function markDependents(id: number, force: boolean): void {
    for (const { id: other, upstream } of order()) {
      if (!upstream.includes(id)) continue;
      if (queue.has(other)) queue.set(other, true);
      else if (force && !isLazy && stateOf(other).valuesVersion !== null) enqueue(other, true);
    }
  }

  async function start(cell: ScheduledCell): Promise<void> {
    const { id } = cell;
    const run: Run = { controller: new AbortController(), startMs: host.now(), holdsTheLine: true };
    const state = stateOf(id);
    state.controller?.abort(new Error("The cell runs again."));
    state.controller = run.controller;
    running.set(id, run);
    report(id, "running");
    const patience = setTimeout(() => {
      run.holdsTheLine = false;
      step();
    }, patienceMs);
    const inputs = new Map(cell.inputs.map((name) => [name, values.get(name)]));
    const isCurrent = (): boolean => running.get(id) === run;
    try {
      const defined = await host.run(id, inputs, run.controller.signal);
      if (!isCurrent()) return;
      running.delete(id);
      ledger.keepValues(cell, defined);
      report(id, statusWithValues(cell, stateOf), { durationMs: host.now() - run.startMs });
      markDependents(id, false);
    } catch (error) {
      if (!isCurrent()) return;
      running.delete(id);
      run.controller.abort(new Error("The cell did not finish."));
      if (error instanceof CellStopped) stopped(id, cell, error);
      else fail(id, error, host.now() - run.startMs);
    } finally {
      clearTimeout(patience);
      pump();
    }
  }

  /** A cell that stopped itself keeps the values of an earlier run of the same code, marked as stale. */
  function stopped(id: number, cell: ScheduledCell, { message }: CellStopped): void {
    if (stateOf(id).valuesVersion === cell.version) {
      report(id, "stale", { message });
      return;
    }
    forgetValues(id);
    report(id, "waiting", { message });
    markDependents(id, true);
  }

  function fail(id: number, error: unknown, durationMs?: number): void {
    forgetValues(id);
    report(id, "error", { error, ...(durationMs === undefined ? {} : { durationMs }) });
    markDependents(id, true);
  }

  return {
    define,
    run: request,
    runAll: () => request(order().map(({ id }) => id)),
    runStale: () =>
      request(
        order().flatMap(({ id, disabled }) =>
          !disabled && ["idle", "stale", "interrupted"].includes(stateOf(id).status) ? [id] : [],
        ),
      ),
    setValue(name, value) {
      values.set(name, value);
      const readers = order()
        .filter(({ inputs }) => inputs.includes(name))
        .map(({ id }) => id);
      if (!isLazy) return request(readers);
      for (const id of [...readers, ...descendantsOf(order(), readers)])
        if (stateOf(id).status !== "idle" && !isPending(id)) report(id, "stale");
    },
    setQuietly: (name, value) => values.set(name, value),
    interrupt() {
      for (const id of [...running.keys()]) {
        abandon(id, "Interrupted.");
        report(id, "interrupted");
      }
      for (const id of [...queue.keys()]) {
        queue.delete(id);
        report(id, stateOf(id).valuesVersion === null ? "idle" : "stale");
      }
      pump();
    },
    setLazy(lazy) {
      isLazy = lazy;
    },
    values,
    isIdle: () => queue.size === 0 && running.size === 0,
    statusOf: (id) => (ledger.has(id) ? stateOf(id).status : "idle"),
  };
}
