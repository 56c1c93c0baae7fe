import { z } from "zod";
import { SepError } from "../errors.ts";
import { sendOnce } from "../net/send-once.ts";
import type { Policy } from "./answer-request.ts";

const ANSWER = z.object({
  model: z.string().optional(),
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
});

interface EscalationOptions {
  /** The server's first one if not given. */
  readonly model?: string | undefined;
  readonly key?: string | undefined;
  readonly limitMs?: number;
}

const LIMIT_MS = 120_000;

/**
 * Asks another OpenAI-compatible server.
 * @param url base of its API, with /v1
 * @returns throws SepError `server-unreachable` or `server-refused` when it is used
 */
export function openEscalation(
  url: string,
  { model = "default", key, limitMs = LIMIT_MS }: EscalationOptions = {},
): NonNullable<Policy["escalate"]> {
  const address = `${url.replace(/\/+$/, "")}/chat/completions`;
  return async (messages, signal) => {
    const outcome = await sendOnce(
      address,
      {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify({ model, messages }),
      },
      { fetch, limitMs, signal },
    );
    if (outcome.kind === "lost")
      throw new SepError(
        "server-unreachable",
        `The server to escalate to gave no answer: ${outcome.reason}.`,
        {
          cause: outcome.cause,
        },
      );
    if (outcome.status !== 200)
      throw new SepError(
        "server-refused",
        `The server to escalate to answered with status ${outcome.status}.`,
      );
    const { choices, model: answered } = readAnswer(outcome.text);
    return { text: choices[0]?.message.content ?? "", model: answered ?? model };
  };
}

function readAnswer(text: string): z.output<typeof ANSWER> {
  try {
    return ANSWER.parse(JSON.parse(text));
  } catch (error) {
    throw new SepError("server-refused", "The server to escalate to sent no chat completion.", {
      cause: error,
    });
  }
}
