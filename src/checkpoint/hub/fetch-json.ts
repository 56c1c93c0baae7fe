import { SepError } from "../../errors.ts";
import { retryDelayMs } from "../../net/retry-delay.ts";
import { redactError } from "../../text/redact.ts";
import type { Hub } from "./hub.ts";
import type { PullNote } from "./pull-event.ts";
import { DEFAULT_TRIES, describeLoss, type HubRequest, type HubResponse, sendToHub } from "./send-to-hub.ts";

/**
 * Asks for a small JSON document, and asks again where the answer breaks off.
 * @param maxBytes bound on the answer, so that a strange server cannot fill the memory
 * @throws SepError `hub-unreachable` if what comes back is no JSON, and as `sendToHub` does
 */
export async function* fetchJson(
  hub: Hub,
  request: HubRequest,
  maxBytes: number,
): AsyncGenerator<PullNote, unknown> {
  const { tries = DEFAULT_TRIES, signal } = request;
  for (let failures = 1; ; failures++) {
    const answer = yield* sendToHub(hub, request);
    const content = await readAll(answer, maxBytes, signal);
    if ("bytes" in content) return parse(hub, request, content.bytes);
    if (failures >= tries) throw explainNoHub(hub, `${request.url} breaks off (${content.loss})`);
    yield { kind: "note", message: `${request.url} breaks off (${content.loss}); trying again` };
    await hub.sleep(retryDelayMs(failures, null), signal);
  }
}

/** The error for an answer that no Hugging Face hub gives. */
export const explainNoHub = (
  { settings, redactor: { message: redact } }: Hub,
  problem: string,
  cause?: unknown,
): SepError =>
  new SepError(
    "hub-unreachable",
    `${settings.endpoint} does not answer like a Hugging Face hub: ${redact(problem)}. Check HF_ENDPOINT, proxies and firewalls.`,
    { cause: redactError(cause, redact) },
  );

async function readAll(
  answer: HubResponse,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly bytes: Buffer } | { readonly loss: string }> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of answer.read()) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) return { loss: `more than ${maxBytes} bytes` };
      chunks.push(chunk);
    }
  } catch (error) {
    signal?.throwIfAborted();
    return { loss: describeLoss(error) };
  }
  return { bytes: Buffer.concat(chunks) };
}

function parse(hub: Hub, { url }: HubRequest, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw explainNoHub(hub, `${url} is not JSON`, cause);
  }
}
