import type { Environment } from "semantic-entropy-probes/files";
import { openSession } from "../session/session.ts";
import type { CellState, Output, Progress, ServerEvent } from "../wire.ts";

/** What happens while a notebook runs as a script. */
export type ScriptEvent =
  | { readonly kind: "progress"; readonly cell: number; readonly progress: Progress }
  /** A cell has come to its end, with all that it shows. */
  | {
      readonly kind: "cell";
      readonly cell: number;
      readonly state: CellState;
      readonly outputs: readonly Output[];
    };

/** How a run of a notebook ended. */
export interface ScriptResult {
  readonly ok: boolean;
  /** Cells by how they ended. */
  readonly counts: Readonly<Record<string, number>>;
  readonly failed: readonly number[];
}

export interface RunNotebookOptions {
  /** What the notebook reads as `args`. */
  readonly args?: readonly string[];
  /** Of its cells; `process.env` by default. */
  readonly env?: Environment | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Runs all cells of a notebook, in a process of their own. Run buttons count as pressed.
 * @throws SepError `missing-input`, `bad-notebook`; the signal's reason when it is aborted
 */
export async function* runNotebook(
  path: string,
  { args = [], env, signal }: RunNotebookOptions = {},
): AsyncGenerator<ScriptEvent, ScriptResult> {
  await using session = await openSession(path, { args, env, pressesRunButtons: true });
  const events: ServerEvent[] = [];
  let wake: () => void = () => undefined;
  session.listen((event) => {
    events.push(event);
    wake();
  });
  let isSettled = false;
  session.run("all");
  void session.settled().then(() => {
    isSettled = true;
    wake();
  });
  const abort = (): void => wake();
  signal?.addEventListener("abort", abort);
  try {
    while (!isSettled || events.length > 0) {
      signal?.throwIfAborted();
      const event = events.shift();
      if (event === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (isSettled || events.length > 0 || signal?.aborted) resolve();
        });
        continue;
      }
      if (event.kind !== "state") continue;
      const { id, state } = event;
      if (state.status === "running" && state.progress !== null)
        yield { kind: "progress", cell: id, progress: state.progress };
      else if (ENDED.has(state.status))
        yield { kind: "cell", cell: id, state, outputs: session.outputsOf(id) };
    }
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  await session.keepResults();
  const states = session.cells().map(({ id }) => ({ id, ...session.stateOf(id) }));
  const counts: Record<string, number> = {};
  for (const { status } of states) counts[status] = (counts[status] ?? 0) + 1;
  const failed = states.flatMap(({ id, status, isCalm }) =>
    status === "error" || status === "interrupted" || (status === "blocked" && !isCalm) ? [id] : [],
  );
  return { ok: failed.length === 0 && session.kernel.status !== "dead", counts, failed };
}

const ENDED: ReadonlySet<CellState["status"]> = new Set([
  "done",
  "error",
  "waiting",
  "blocked",
  "disabled",
  "interrupted",
]);
