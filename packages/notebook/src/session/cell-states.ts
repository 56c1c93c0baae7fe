import type { FromKernel } from "../kernel/messages.ts";
import { renderMarkdown } from "../kernel/show-value.ts";
import { type CellState, FRESH_STATE, type Output, type ServerEvent } from "../wire.ts";
import { type AnalyzedNotebook, isStatic } from "./analyze-notebook.ts";

/** The cells' states and outputs, as the kernel last reported them. */
interface CellStates {
  stateOf(id: number): CellState;
  outputsOf(id: number): readonly Output[];
  /** Follows the notebook: cells come and go, and text without expressions is shown at once. */
  follow(notebook: AnalyzedNotebook): void;
  take(message: FromKernel): void;
  /**
   * The kernel is gone: results that are shown become stale, and running or queued cells are marked as ended.
   * @param how what happened to it, as a sentence without its full stop
   * @param isFault whether it ended by itself, so that the cell that ran is to blame
   * @param wanted cells that were to run; the kernel may have ended before it could say that they wait
   */
  kernelGone(how: string, isFault: boolean, wanted: ReadonlySet<number>): void;
}

/** @param tell hands changes on */
export function createCellStates(tell: (event: ServerEvent) => void): CellStates {
  const states = new Map<number, CellState>();
  const outputs = new Map<number, readonly Output[]>();
  const stateOf = (id: number): CellState => states.get(id) ?? FRESH_STATE;
  const setState = (id: number, change: Partial<CellState>): void => {
    const state = { ...stateOf(id), ...change };
    states.set(id, state);
    tell({ kind: "state", id, state });
  };
  const setOutputs = (id: number, from: number, added: readonly Output[]): void => {
    outputs.set(id, [...(outputs.get(id) ?? []).slice(0, from), ...added]);
    tell({ kind: "outputs", id, from, outputs: added });
  };
  return {
    stateOf,
    outputsOf: (id) => outputs.get(id) ?? [],
    follow({ cells }) {
      const ids = new Set(cells.map(({ cell }) => cell.id));
      for (const id of [...states.keys()]) if (!ids.has(id)) states.delete(id);
      for (const id of [...outputs.keys()]) if (!ids.has(id)) outputs.delete(id);
      for (const { cell } of cells) {
        if (!isStatic(cell)) continue;
        const html = cell.kind === "markdown" ? renderMarkdown(cell.source) : cell.source;
        const [before] = outputs.get(cell.id) ?? [];
        if (before?.kind === "html" && before.html === html) continue;
        setOutputs(cell.id, 0, [{ kind: "html", html }]);
        setState(cell.id, { ...FRESH_STATE, status: "done" });
      }
    },
    take(message) {
      if (message.kind === "status") {
        const { id, status, error, message: text, isCalm, durationMs } = message;
        const before = stateOf(id);
        setState(id, {
          status,
          error,
          message: text,
          isCalm,
          durationMs: durationMs ?? (status === "running" ? null : before.durationMs),
          runs: before.runs + (status === "running" ? 1 : 0),
        });
        // outputs that a block or a disabled cell makes untrue must not stay on the page
        if ((status === "blocked" || status === "disabled") && (outputs.get(id)?.length ?? 0) > 0)
          setOutputs(id, 0, []);
      } else if (message.kind === "outputs") setOutputs(message.id, message.from, message.outputs);
      else if (message.kind === "progress") setState(message.id, { progress: message.progress });
      else if (message.kind === "control") {
        for (const [id, shown] of outputs) {
          const at = shown.findIndex((output) => output.kind === "control" && output.key === message.key);
          if (at === -1) continue;
          outputs.set(
            id,
            shown.map((output, index) =>
              index === at && output.kind === "control" ? { ...output, value: message.value } : output,
            ),
          );
        }
      }
    },
    kernelGone(how, isFault, wanted) {
      for (const id of new Set([...states.keys(), ...wanted])) {
        const { status, runs } = stateOf(id);
        if (status === "running" || status === "queued" || (status === "idle" && wanted.has(id))) {
          const hadBegun = status === "running";
          const message = `${how} ${hadBegun ? "while the cell ran" : "before the cell could run"}.`;
          const error = hadBegun && isFault ? { message, line: null, column: null, stack: null } : null;
          setState(id, {
            status: error === null ? "interrupted" : "error",
            error,
            message: error === null ? message : null,
            isCalm: false,
            progress: null,
            runs: 0,
          });
        } else if (runs > 0) {
          setState(id, {
            status: status === "idle" ? "idle" : "stale",
            progress: null,
            message: null,
            runs: 0,
          });
        }
      }
    },
  };
}
