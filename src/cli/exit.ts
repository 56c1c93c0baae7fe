import type { SepErrorCode } from "../errors.ts";

/** What the process ends with. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Errors that scripts tell apart by the exit status alone; docs/errors.md has the table. */
const STATUS_OF: Readonly<Partial<Record<SepErrorCode, number>>> = {
  "bad-option": EXIT.usage,
  "disk-full": 3,
  "permission-denied": 4,
  "cache-not-writable": 4,
  "is-a-folder": 5,
  "not-a-folder": 6,
  "too-many-open-files": 7,
  "bad-path": 8,
  "disk-failed": 9,
  interrupted: EXIT.interrupted,
  /** As a shell reports a program that SIGPIPE ended: 128 + 13. */
  "output-closed": 141,
};

/** The exit status of an error; 1 for codes without one of their own, and for errors without a code. */
export const exitStatusOf = (code: SepErrorCode | "unexpected"): number =>
  (code === "unexpected" ? undefined : STATUS_OF[code]) ?? EXIT.failed;
