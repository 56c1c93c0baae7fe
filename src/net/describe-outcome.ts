import { SepError } from "../errors.ts";
import { type Answered, parseBody, type RequestOutcome } from "./send-once.ts";

/** A failed request in words: "answered 404: …", "gives no answer (ECONNREFUSED)". */
export function describeOutcome(outcome: RequestOutcome): string {
  if (outcome.kind === "lost") return `gives no answer (${outcome.reason})`;
  return `answered ${outcome.status}: ${quoteAnswer(outcome)}`;
}

/** The beginning of a response body, in quotation marks, for an error message. Bodies are quoted nowhere else. */
export function quoteAnswer(answer: Quotable): string {
  const said = answer.redactor.message(messageOf(answer) ?? answer.text); // redact first: cutting could leave half a key
  return JSON.stringify(said.slice(0, MAX_QUOTED));
}

type Quotable = Pick<Answered, "text" | "redactor">;

const MAX_QUOTED = 300;

/** The message of an error response of OpenAI, vLLM or text-embeddings-inference. */
function messageOf(answer: Quotable): string | null {
  try {
    const { error, message, detail } = parseBody(answer) as Record<string, unknown>;
    const inner = (error as { readonly message?: unknown } | undefined)?.message;
    return [inner, message, error, detail].find((value) => typeof value === "string") as string | null;
  } catch {
    return null; // a proxy's error page, say: shown as it is
  }
}

/** The error for a status of 400 or more that another try would not change. */
export function explainServerRefusal(source: string, answer: Answered): SepError {
  const { status } = answer;
  const said = quoteAnswer(answer);
  if (status === 401 || status === 403) {
    return new SepError(
      "server-refused",
      `${source} answered ${status}: ${said}. Set VLLM_API_KEY to the key that the server was started with.`,
    );
  }
  if (status === 404) {
    return new SepError(
      "server-refused",
      `${source} answered 404: ${said}. Check the address in --vllm-url, which ends in /v1 for most servers.`,
    );
  }
  if (/logprobs/i.test(said)) {
    return new SepError(
      "no-logprobs",
      `${source} answered ${status}: ${said}. Start the server with --max-logprobs 20 or more.`,
    );
  }
  if (/context length|max_model_len|maximum (?:input|model) length|too (?:long|large)/i.test(said)) {
    return new SepError(
      "prompt-too-long",
      `${source} answered ${status}: ${said}. Shorten the question, give a smaller --max-new-tokens, or start the server with a larger --max-model-len.`,
    );
  }
  return new SepError(
    "server-refused",
    `${source} answered ${status}: ${said}. The server's log may say more.`,
  );
}
