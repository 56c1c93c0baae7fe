import { ApiError } from "./api-error.ts";

/** How much a server takes on at a time. */
export interface AdmissionLimits {
  /** Answers that are generated at a time. */
  readonly concurrent: number;
  /** Answers that may wait for a place. */
  readonly queued: number;
}

/** What a server takes on. */
export interface ServerLimits extends AdmissionLimits {
  /** Milliseconds that a request may take. */
  readonly timeMs: number;
  /** Tokens that an answer may have. */
  readonly tokens: number;
  readonly bodyBytes: number;
}

export const SERVER_LIMITS: ServerLimits = {
  concurrent: 64,
  queued: 256,
  timeMs: 300_000,
  tokens: 4096,
  bodyBytes: 4 * 1024 * 1024,
};

/** Lets requests in as there is room for their answers, first come, first served. */
export interface Admission {
  readonly running: number;
  readonly waiting: number;
  readonly isDraining: boolean;
  /**
   * Waits for room.
   * @param answers that the request generates at a time
   * @returns what gives the room back
   * @throws ApiError 429 if too many wait, 503 once the server drains; the signal's reason
   */
  enter(answers: number, signal: AbortSignal): Promise<Disposable>;
  /** Lets nobody in any more, and resolves when those that are in have left. */
  drain(): Promise<void>;
}

interface Waiter {
  readonly answers: number;
  admit(): void;
  refuse(error: unknown): void;
}

/** Seconds after which a client that was sent away may try again. */
const RETRY_AFTER = 1;

export function createAdmission({ concurrent, queued }: AdmissionLimits): Admission {
  let running = 0;
  let waiters: Waiter[] = [];
  let isDraining = false;
  let empty: () => void = () => undefined;
  const waiting = (): number => waiters.reduce((sum, { answers }) => sum + answers, 0);
  const hasRoom = (answers: number): boolean => running === 0 || running + answers <= concurrent;
  const leave = (answers: number): void => {
    running -= answers;
    for (let next = waiters[0]; next !== undefined && hasRoom(next.answers); next = waiters[0]) {
      waiters.shift();
      running += next.answers;
      next.admit();
    }
    if (running === 0) empty();
  };
  const pass = (answers: number): Disposable => {
    let isIn = true;
    return {
      [Symbol.dispose]() {
        if (isIn) leave(answers);
        isIn = false;
      },
    };
  };
  return {
    get running() {
      return running;
    },
    get waiting() {
      return waiting();
    },
    get isDraining() {
      return isDraining;
    },
    async enter(answers, signal) {
      signal.throwIfAborted();
      if (isDraining)
        throw new ApiError(503, "The server is shutting down.", {
          code: "shutting_down",
          retryAfter: RETRY_AFTER,
        });
      if (waiters.length === 0 && hasRoom(answers)) {
        running += answers;
        return pass(answers);
      }
      if (waiting() + answers > queued)
        throw new ApiError(429, `${waiting()} answers are waiting already. Try again later.`, {
          code: "queue_full",
          retryAfter: RETRY_AFTER,
        });
      await new Promise<void>((resolve, reject) => {
        const waiter: Waiter = {
          answers,
          admit() {
            signal.removeEventListener("abort", giveUp);
            resolve();
          },
          refuse: reject,
        };
        const giveUp = (): void => {
          waiters = waiters.filter((other) => other !== waiter);
          reject(signal.reason);
        };
        signal.addEventListener("abort", giveUp, { once: true });
        waiters.push(waiter);
      });
      return pass(answers);
    },
    async drain() {
      isDraining = true;
      for (const { refuse } of waiters.splice(0))
        refuse(
          new ApiError(503, "The server is shutting down.", {
            code: "shutting_down",
            retryAfter: RETRY_AFTER,
          }),
        );
      if (running > 0)
        await new Promise<void>((resolve) => {
          empty = resolve;
        });
    },
  };
}
