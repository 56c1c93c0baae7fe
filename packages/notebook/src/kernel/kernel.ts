import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import { inspect } from "node:util";
import { Script } from "node:vm";
import { BUILTIN_NAMES, type BuiltinName } from "../cell/cell-code.ts";
import { cacheOnDisk } from "../storage-folder.ts";
import type { Progress } from "../wire.ts";
import { createPlot, parseArguments } from "./builtins.ts";
import { type CellOutputs, cellFileName, collectOutputs, describeError } from "./cell-outputs.ts";
import { type ControlBoard, createControlBoard } from "./control-board.ts";
import { Control, ui } from "./controls.ts";
import { createImporter } from "./import-module.ts";
import type { FromKernel, KernelCell, KernelSettings, ToKernel } from "./messages.ts";
import { createScheduler } from "./scheduler.ts";
import { CellStopped, type Scheduler, type StatusChange } from "./scheduler-contract.ts";
import { html, md, showValue, Table } from "./show-value.ts";
import { trackProgress } from "./track-progress.ts";

/** One notebook's values and what runs them. */
export interface Kernel {
  receive(message: Exclude<ToKernel, { kind: "open" }>): void;
  /** Shows what a cell logs with `console` below the cell. @returns false if no cell is running there */
  log(level: "log" | "warn" | "error", values: readonly unknown[]): boolean;
}

type CellFunction = (...values: readonly unknown[]) => Promise<Readonly<Record<string, unknown>>>;

/** What a run of a cell carries with it, also into what it calls. */
interface RunContext {
  readonly outputs: CellOutputs;
}

/** @param send hands a message to the session */
export function createKernel(settings: KernelSettings, send: (message: FromKernel) => void): Kernel {
  const cells = new Map<number, KernelCell>();
  const functions = new Map<number, { readonly version: string; readonly call: CellFunction }>();
  const contexts = new AsyncLocalStorage<RunContext>();
  const importModule = createImporter(settings.path, join(settings.storageFolder, "modules"));
  const shared = { ui, md, html, Plot: createPlot(), args: parseArguments(settings.args), table: makeRows };
  const board: ControlBoard = createControlBoard(settings, {
    isPending: (id) => ["queued", "running"].includes(scheduler.statusOf(id)),
    readersOf: (name) => [...cells.values()].flatMap(({ id, inputs }) => (inputs.includes(name) ? [id] : [])),
    setValue: (name, value) => scheduler.setValue(name, value),
    setQuietly: (name, value) => scheduler.setQuietly(name, value),
    changed: (key, value) => send({ kind: "control", key, value }),
  });
  const scheduler: Scheduler = createScheduler(
    { run, report, idle: () => send({ kind: "idle" }), now: () => performance.now() },
    { isLazy: settings.isLazy },
  );

  async function run(
    id: number,
    inputs: ReadonlyMap<string, unknown>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, unknown>> {
    const cell = cells.get(id) as KernelCell;
    const outputs = collectOutputs((from, added) => {
      if (!signal.aborted) send({ kind: "outputs", id, from, outputs: added });
    });
    const controls = board.beginCell(id);
    const showProgress = throttleProgress((progress) => {
      if (!signal.aborted) send({ kind: "progress", id, progress });
    });
    let hasProgress = false;
    const builtins: Readonly<Record<BuiltinName, unknown>> = {
      ...shared,
      display(value: unknown, isValueOfCell = false): unknown {
        if (value instanceof Control)
          throw new TypeError("An input is shown with view(…): `const k = view(ui.slider(…))`.");
        if (!isValueOfCell || value !== undefined) outputs.add(showValue(value));
        return value;
      },
      view(control: unknown): unknown {
        if (!(control instanceof Control))
          throw new TypeError("view(…) needs an input: ui.slider, ui.select and so on.");
        const { key, value, binding } = controls.add(control);
        outputs.add({ kind: "control", key, control: control.spec, value });
        return binding;
      },
      progress: (work: Iterable<unknown>, options = {}) => {
        hasProgress = true;
        return trackProgress(work, { signal, now: () => performance.now(), show: showProgress }, options);
      },
      cache: (name: string, deps: unknown, make: () => unknown) =>
        cacheOnDisk(join(settings.storageFolder, "cache"), cell.cacheVersion, name, deps, make),
      stop(condition: unknown, message = "Waiting."): void {
        if (condition) throw new CellStopped(String(message));
      },
      invalidation: signal,
    };
    const values = [
      ...inputs.values(),
      ...BUILTIN_NAMES.map((name) => builtins[name]),
      importModule,
      { url: `file://${settings.path}`, filename: settings.path },
    ];
    try {
      const defined = await contexts.run({ outputs }, () => compile(cell)(...values));
      const settled = await Promise.all(
        Object.entries(defined).map(
          async ([name, value]) => [name, board.bind(name, id, await value)] as const,
        ),
      );
      outputs.finish(!signal.aborted);
      if (!hasProgress && !signal.aborted) send({ kind: "progress", id, progress: null });
      return new Map(settled);
    } catch (error) {
      outputs.finish(!(error instanceof CellStopped) && !signal.aborted);
      throw error;
    }
  }

  function compile({ id, version, compiled }: KernelCell): CellFunction {
    const known = functions.get(id);
    if (known?.version === version) return known.call;
    const call = new Script(compiled?.code ?? "", {
      filename: cellFileName(id),
    }).runInThisContext() as CellFunction;
    functions.set(id, { version, call });
    return call;
  }

  function report(
    id: number,
    { status, error, message, durationMs, blockedBy, isCalm = false }: StatusChange,
  ): void {
    const cell = cells.get(id);
    const shown =
      error === undefined ? null : (cell?.shownProblem ?? describeError(error, id, cell?.compiled ?? null));
    send({
      kind: "status",
      id,
      status,
      error: shown,
      message: message ?? (blockedBy === undefined ? null : `Needs cell ${blockedBy}.`),
      isCalm,
      durationMs: durationMs ?? null,
    });
    board.settle();
  }

  return {
    receive(message) {
      switch (message.kind) {
        case "define":
          cells.clear();
          for (const cell of message.cells) cells.set(cell.id, cell);
          scheduler.define(message.cells);
          return;
        case "run":
          if (message.ids === "all") scheduler.runAll();
          else if (message.ids === "stale") scheduler.runStale();
          else scheduler.run(message.ids);
          return;
        case "interrupt":
          scheduler.interrupt();
          return;
        case "lazy":
          scheduler.setLazy(message.isLazy);
          return;
        case "control":
          return answer(send, message.request, () => board.set(message.key, message.value));
        case "inspect":
          return answer(send, message.request, () => inspectValue(scheduler.values, message.name));
        case "ping":
          return answer(send, message.request, () => ({ isIdle: scheduler.isIdle() }));
      }
    },
    log(level, values) {
      const context = contexts.getStore();
      context?.outputs.add({
        kind: "log",
        level,
        text: values.map((value) => (typeof value === "string" ? value : inspect(value))).join(" "),
      });
      return context !== undefined;
    },
  };
}

/** Rows to look at; `ui.table` is for rows to choose from. */
const makeRows = (...given: ConstructorParameters<typeof Table>): Table => new Table(...given);

/** Limits progress messages to one per {@link PROGRESS_MS}, but always sends the last one. */
function throttleProgress(show: (progress: Progress) => void): (progress: Progress) => void {
  let shownMs = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const nowMs = performance.now();
    if (!progress.isFinished && nowMs - shownMs < PROGRESS_MS) return;
    shownMs = nowMs;
    show(progress);
  };
}

function answer(send: (message: FromKernel) => void, request: number, act: () => unknown): void {
  try {
    send({ kind: "answer", request, value: act() ?? null, error: null });
  } catch (error) {
    send({
      kind: "answer",
      request,
      value: null,
      error: error instanceof Error ? error.message : String(error),
    });
  }
}

/** A value as text; long ones are cut. */
function inspectValue(
  values: ReadonlyMap<string, unknown>,
  name: string,
): { readonly type: string; readonly text: string } {
  if (!values.has(name)) {
    throw new RangeError(
      `${name} has no value, expected one of ${[...values.keys()].join(", ") || "none: nothing ran yet"}.`,
    );
  }
  const value = values.get(name);
  const text = inspect(value, { depth: 6, maxArrayLength: 200, maxStringLength: 10_000 });
  return {
    type: value === null ? "null" : (Object.getPrototypeOf(Object(value))?.constructor?.name ?? typeof value),
    text: text.slice(0, MAX_INSPECTED),
  };
}

const PROGRESS_MS = 50;
const MAX_INSPECTED = 40_000;
