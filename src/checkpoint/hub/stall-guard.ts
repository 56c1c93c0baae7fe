/** Ends a request on which nothing happens any more. */
export interface StallGuard {
  /** Aborted when the request's own signal is, or after too long without a `touch`. */
  readonly signal: AbortSignal;
  /** Something came in. */
  readonly touch: () => void;
  /** The request is over. */
  readonly close: () => void;
}

/** Longer than a slow server thinks; a dead connection would otherwise hang until the system gives it up. */
const STALLED_AFTER_MS = 30_000;

export function openStallGuard(signal: AbortSignal | undefined): StallGuard {
  const stalled = new AbortController();
  const reason = new Error(`no data for ${STALLED_AFTER_MS / 1_000} s`);
  const timer = setTimeout(() => stalled.abort(reason), STALLED_AFTER_MS);
  return {
    signal: signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]),
    touch: () => {
      timer.refresh();
    },
    close: () => clearTimeout(timer),
  };
}
