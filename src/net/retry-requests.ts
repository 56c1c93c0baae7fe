import type { Hub } from "../checkpoint/hub/hub.ts";
import { askedDelayMs } from "./retry-delay.ts";
import { type Answered, type Outcome, parseBody } from "./send-once.ts";

export interface RetryOptions {
  /** How often to try in all. */
  readonly tries: number;
  /** Wait after the first failure; it doubles with each further one, up to 16 s. */
  readonly firstDelayMs: number;
  readonly sleep: Hub["sleep"];
  /** In [0, 1): spreads the tries of many requests that failed together. */
  readonly random: () => number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends until something comes that another try would not change: lost connections, 408, 429 and server errors are
 * tried again, as late as the server asks.
 * @param send one try; `isElsewhere` says that the next one goes to another server, which need not be waited for
 * @returns the last outcome, good or bad
 * @throws the signal's reason
 */
export async function retryRequests(
  send: () => Promise<Outcome & { readonly isElsewhere?: boolean }>,
  { tries, firstDelayMs, sleep, random, signal }: RetryOptions,
): Promise<Outcome> {
  for (let failures = 1; ; failures++) {
    const outcome = await send();
    if (!isPassing(outcome) || failures >= tries) return outcome;
    const asked = outcome.kind === "answered" ? askedDelayMs(outcome.headers) : null;
    if (asked !== null && asked > LONGEST_WAIT_MS) return outcome;
    if (outcome.isElsewhere && asked === null) continue;
    const own = Math.min(firstDelayMs * 2 ** (failures - 1), LONGEST_DELAY_MS) * (1 - 0.5 * random());
    await sleep(asked === null ? own : asked * (1 + 0.1 * random()), signal);
  }
}

const LONGEST_DELAY_MS = 16_000;
/** Who has to wait longer should know. */
const LONGEST_WAIT_MS = 330_000;

/** Whether a later try may fare better. */
export const isPassing = (outcome: Outcome): boolean =>
  outcome.kind === "lost" || outcome.status === 408 || outcome.status === 429 || outcome.status >= 500;

/** What a failed request has to say for itself: "answered 404: …", "gives no answer (ECONNREFUSED)". */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.kind === "lost") return `gives no answer (${outcome.reason})`;
  return `answered ${outcome.status}: ${quoteAnswer(outcome)}`;
}

/** The beginning of what an answer says, in quotation marks, for an error: the one place where bodies are quoted. */
export function quoteAnswer(answer: Quotable): string {
  const said = answer.redactor.message(messageOf(answer) ?? answer.text); // before a key is cut in two
  return JSON.stringify(said.slice(0, MAX_QUOTED));
}

type Quotable = Pick<Answered, "text" | "redactor">;

const MAX_QUOTED = 300;

/** What stands in an error answer of OpenAI's form, vLLM's or text-embeddings-inference's. */
function messageOf(answer: Quotable): string | null {
  try {
    const { error, message, detail } = parseBody(answer) as Record<string, unknown>;
    const inner = (error as { readonly message?: unknown } | undefined)?.message;
    return [inner, message, error, detail].find((value) => typeof value === "string") as string | null;
  } catch {
    return null; // a page of a proxy: shown as it is
  }
}
