/** One finding of `sep doctor`. */
export interface Check {
  readonly name: string;
  /**
   * `ok`; `absent`: an extra that is not there and that nothing fails without; `warning`: works, but something
   * may not; `broken`: `sep run` would fail.
   */
  readonly status: "ok" | "absent" | "warning" | "broken";
  readonly detail: string;
  /** What to do about it, unless it is ok. */
  readonly advice?: string;
}

/** An error's message on one line. */
export function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s+/g, " ").trim();
}
