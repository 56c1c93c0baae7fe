import type { Session } from "../session/session-contract.ts";

/**
 * Waits until nothing runs, but not for ever: long work goes on without the agent waiting for it.
 * @returns whether everything has come to its end
 */
export async function settleFor(session: Session, waitMs: number = WAIT_MS): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, waitMs, false);
  });
  const isSettled = await Promise.race([session.settled().then(() => true as const), late]);
  clearTimeout(timer);
  return isSettled;
}

/** Agents ask again; a request that takes longer is given up by some clients. */
const WAIT_MS = 10_000;
