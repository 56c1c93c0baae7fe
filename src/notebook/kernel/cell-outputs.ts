import type { Output } from "../wire.ts";

/** Collects what one run of a cell shows, and hands it on in batches. */
export interface CellOutputs {
  add(output: Output): void;
  /** Shows what was collected; `replace` also when that is nothing, so that what an older run showed goes. */
  finish(replace: boolean): void;
}

/**
 * What an older run showed stays until this one shows something or ends, so that the page does not flicker.
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
              text: `What the cell shows after its first ${MAX_OUTPUTS} outputs is left out.`,
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
