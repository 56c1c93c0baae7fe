import { SourceMap } from "node:module";
import { SepError } from "semantic-entropy-probes/files";
import type { CellCode } from "../cell/cell-code.ts";
import type { Output, ShownError } from "../wire.ts";

/** Collects what one run of a cell shows, and hands it on in batches. */
export interface CellOutputs {
  add(output: Output): void;
  /** Shows what was collected. With `replace`, also when that is nothing, so that an older run's outputs disappear. */
  finish(replace: boolean): void;
}

/**
 * An older run's outputs stay until this one shows something or ends, so that the page does not flicker.
 * @param send replaces what the cell shows from a position on
 */
export function collectOutputs(send: (from: number, outputs: readonly Output[]) => void): CellOutputs {
  const outputs: Output[] = [];
  let sent = 0;
  let hasSent = false;
  let timer: NodeJS.Timeout | null = null;
  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (sent === outputs.length && hasSent) return;
    send(sent, outputs.slice(sent));
    sent = outputs.length;
    hasSent = true;
  };
  return {
    add(output) {
      if (outputs.length > MAX_OUTPUTS) return;
      outputs.push(
        outputs.length < MAX_OUTPUTS
          ? output
          : {
              kind: "log",
              level: "warn",
              text: `Only the first ${MAX_OUTPUTS} outputs of the cell are shown.`,
            },
      );
      timer ??= setTimeout(flush, BATCH_MS);
    },
    finish(replace) {
      if (replace || outputs.length > sent) flush();
    },
  };
}

const MAX_OUTPUTS = 500;
/** Soon enough to look immediate; a loop that logs does not flood the page. */
const BATCH_MS = 25;

/** The file name that the code of a cell has in stacks. */
export const cellFileName = (id: number): string => `cell-${id}.js`;

/** What a cell threw, with the line in the cell's own source where that is known. */
export function describeError(error: unknown, id: number, code: CellCode | null): ShownError {
  if (!(error instanceof Error)) {
    return { message: `The cell threw ${String(error)}`, line: null, column: null, stack: null };
  }
  const stack = error.stack ?? "";
  const place = findPlace(stack, id, code);
  const prefix = error instanceof SepError || error.name === "Error" ? "" : `${error.name}: `;
  const suffix = error instanceof SepError ? ` [${error.code}]` : "";
  return { message: `${prefix}${error.message}${suffix}`, ...place, stack: tidyStack(stack) };
}

function findPlace(
  stack: string,
  id: number,
  code: CellCode | null,
): { readonly line: number | null; readonly column: number | null } {
  const match = new RegExp(`cell-${id}\\.js:(\\d+):(\\d+)`).exec(stack);
  if (match === null) return { line: null, column: null };
  // the cell's text begins on the second line of its function
  const line = Number(match[1]) - 1;
  const column = Number(match[2]);
  if (code === null || code.sourceMap === null) return { line, column };
  const entry = new SourceMap(JSON.parse(code.sourceMap)).findEntry(line - 1, column - 1);
  return "originalLine" in entry
    ? { line: entry.originalLine + 1, column: entry.originalColumn + 1 }
    : { line, column };
}

/** Without the frames of this kernel and of Node. */
const tidyStack = (stack: string): string =>
  stack
    .split("\n")
    .filter((line) => !/^\s+at .*node:/.test(line) && !line.includes(OWN_FOLDER))
    .slice(0, 12)
    .join("\n");

const OWN_FOLDER = new URL(".", import.meta.url).href;
