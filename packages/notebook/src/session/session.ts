import { basename, join } from "node:path";
import { openRedactor } from "semantic-entropy-probes/files";
import type { FromKernel } from "../kernel/messages.ts";
import { openDraftJournal, secureStorage, writeResults } from "../storage-folder.ts";
import type { CellSource, ControlValue, KernelState, ServerEvent } from "../wire.ts";
import { createCellStates } from "./cell-states.ts";
import { type KernelLink, startKernel } from "./kernel-link.ts";
import { type NotebookDocument, openDocument, watchDocument } from "./notebook-document.ts";
import type { NotebookSession, NotebookSessionOptions } from "./session-contract.ts";

/** Opens a notebook. Nothing runs until somebody asks. @throws SepError `missing-input`, `bad-notebook`, `unsafe-folder` */
export async function openSession(
  path: string,
  options: NotebookSessionOptions = {},
): Promise<NotebookSession> {
  const { env = process.env, args = [] } = options;
  const redactor = await openRedactor(env, args);
  const document = await openDocument(path);
  const storageFolder = await secureStorage(document.path);
  const drafts = await openDraftJournal(join(storageFolder, `${basename(document.path)}.drafts.json`));
  const listeners = new Set<(event: ServerEvent) => void>();
  const tell = (event: ServerEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const states = createCellStates(tell);
  const controls = new Map<string, ControlValue>();
  const idleWaiters = new Set<() => void>();
  let kernel: KernelState = { status: "starting", isLazy: options.isLazy ?? false, message: null };
  let isClosed = false;
  let hasRun = false;
  let keeping: NodeJS.Timeout | undefined;
  let controlOrigin: string | null = null;
  /** Cells that were to run since the kernel last was idle. */
  const wanted = new Set<number>();

  const setKernel = (change: Partial<KernelState>): void => {
    const next = { ...kernel, ...change };
    if (JSON.stringify(next) === JSON.stringify(kernel)) return;
    kernel = next;
    tell({ kind: "kernel", kernel });
  };
  const wakeWaiters = (): void => {
    for (const wake of idleWaiters) wake();
    idleWaiters.clear();
  };

  function receive(message: FromKernel): void {
    if (message.kind === "ready") setKernel({ status: "ready" });
    if (message.kind === "idle") {
      wanted.clear();
      setKernel({ status: "ready" });
      wakeWaiters();
      if (hasRun) keepLater();
    }
    if (message.kind === "status" && message.status === "running") hasRun = true;
    if (message.kind === "status" && message.status === "running")
      setKernel({ status: "busy", message: null });
    states.take(message);
    if (message.kind === "control") tell({ ...message, origin: controlOrigin });
  }

  const keepResults = (): Promise<void> =>
    writeResults(document.path, {
      cells: document.notebook.cells.map(({ cell: { id }, revision }) => {
        const { status, error } = states.stateOf(id);
        return { id, revision, status, error: error?.message ?? null, outputs: states.outputsOf(id) };
      }),
    });
  function keepLater(): void {
    clearTimeout(keeping);
    // a folder that cannot be written must not end the session; an export then says that there are no results
    keeping = setTimeout(() => void keepResults().catch(() => undefined), KEEP_MS);
  }

  function open(): KernelLink {
    const link: KernelLink = startKernel(
      {
        path: document.path,
        storageFolder,
        args,
        pressesRunButtons: options.pressesRunButtons ?? false,
        isLazy: kernel.isLazy,
        controls: [...controls],
      },
      {
        env,
        redactor,
        receive(message) {
          // messages of an older kernel are about values that are gone
          if (link === current) receive(message);
        },
      },
    );
    void link.ended.then((how) => {
      if (isClosed || link !== current) return;
      const wasReady = kernel.status !== "starting";
      giveUp(`The kernel ended (${how})`, true);
      setKernel({ status: "dead", message: `The kernel ended (${how}).` });
      wakeWaiters();
      // a kernel that did not start would not start the next time either
      if (wasReady) restart(`The kernel ended (${how}) and was restarted; its values are lost.`);
    });
    return link;
  }

  function giveUp(how: string, isFault: boolean): void {
    states.kernelGone(how, isFault, wanted);
    wanted.clear();
  }
  const runCells: NotebookSession["run"] = (wish) => {
    for (const { cell, kernelCell } of document.notebook.cells) {
      const { id, disabled } = cell;
      const isMeant = typeof wish === "string" || wish.includes(id);
      if (kernelCell !== null && !disabled && isMeant) wanted.add(id);
    }
    current.send({ kind: "run", ids: wish });
  };

  let current = open();
  const define = (): void => {
    states.follow(document.notebook);
    current.send({
      kind: "define",
      cells: document.notebook.cells.flatMap(({ kernelCell }) => kernelCell ?? []),
    });
  };

  function restart(message = "The kernel was restarted; its values are lost."): void {
    const before = current;
    setKernel({ status: "starting", message });
    current = open();
    before.kill();
    giveUp("The kernel was restarted", false);
    define();
  }

  const cells = (): CellSource[] =>
    document.notebook.cells.map(({ cell, revision, graph }) => ({
      id: cell.id,
      kind: cell.kind,
      type: cell.type,
      source: cell.source,
      revision,
      pinned: cell.pinned,
      disabled: cell.disabled,
      defines: graph.defines,
      upstream: graph.upstream,
      problem: graph.problem,
      draft: drafts.get(cell.id),
    }));
  const tellCells = (origin: string | null): void =>
    tell({ kind: "cells", title: document.notebook.file.title, cells: cells(), origin });

  define();
  const takeOver = (): void => {
    define();
    tellCells(null);
  };
  const watcher = options.watches ? watchDocument(document, takeOver) : null;

  return {
    document,
    get kernel() {
      return kernel;
    },
    cells,
    stateOf: states.stateOf,
    outputsOf: states.outputsOf,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async edit(edits, { run = false, origin = null } = {}) {
      const readers = edits.flatMap((edit) =>
        edit.kind === "add" || edit.kind === "restore" || edit.kind === "move"
          ? []
          : readersOf(document, edit.id),
      );
      const changed = await document.apply(edits);
      for (const edit of edits)
        if (edit.kind === "source" || edit.kind === "delete") await drafts.set(edit.id, null);
      define();
      tellCells(origin);
      if (run && changed.length + readers.length > 0) runCells([...changed, ...readers]);
      return changed;
    },
    run: runCells,
    async setControl(key, value, origin = null) {
      controlOrigin = origin;
      await current.request({ kind: "control", key, value });
      controls.set(key, value);
    },
    setLazy(isLazy) {
      current.send({ kind: "lazy", isLazy });
      setKernel({ isLazy });
    },
    saveDraft: (id, draft) => drafts.set(id, draft),
    inspect: (name) => current.request({ kind: "inspect", name }),
    async interrupt() {
      const link = current;
      link.send({ kind: "interrupt" });
      const answered = await Promise.race([
        link.request({ kind: "ping" }).then(
          () => true,
          () => true,
        ),
        new Promise<boolean>((resolve) => setTimeout(resolve, INTERRUPT_GRACE_MS, false)),
      ]);
      if (!answered && link === current)
        restart(
          "The kernel did not react to the interrupt, so it was killed and restarted; its values are lost.",
        );
    },
    restart,
    keepResults,
    async settled() {
      for (;;) {
        const woken = new Promise<void>((resolve) => idleWaiters.add(resolve));
        const link = current;
        const answer = await link.request({ kind: "ping" }).catch(() => null);
        // a kernel that cannot answer is ending; then its cells are given up
        if (answer === null) return void (await link.ended);
        if ((answer as { readonly isIdle: boolean }).isIdle) return;
        await woken;
      }
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      clearTimeout(keeping);
      watcher?.close();
      current.kill();
      await current.ended;
    },
  };
}

/** Cells that read from a cell that is deleted or may lose a name. */
const readersOf = ({ notebook }: NotebookDocument, id: number): number[] =>
  notebook.cells.flatMap(({ graph }) => (graph.upstream.includes(id) ? [graph.id] : []));

/** How long a kernel may take to react to an interrupt. */
const INTERRUPT_GRACE_MS = 1_500;
/** A moving slider causes many runs; only the last one is kept. */
const KEEP_MS = 1_000;
