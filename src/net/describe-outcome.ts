import { SepError } from "../errors.ts";
import { type Answered, parseBody, type RequestOutcome } from "./send-once.ts";

/** What a failed request has to say for itself: "answered 404: …", "gives no answer (ECONNREFUSED)". */
export function describeOutcome(outcome: RequestOutcome): string {
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

/** The error for an answer of 400 or more that another try would not change. */
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
