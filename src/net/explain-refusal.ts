import { SepError } from "../errors.ts";
import { quoteAnswer } from "./retry-requests.ts";
import type { Answered } from "./send-once.ts";

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
