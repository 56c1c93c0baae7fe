import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { cutAnswer, endsInStopString } from "../../engine/generate/answer-end.ts";
import type { SampledAnswer } from "../../engine/generate/generate.ts";
import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";
import { SepError } from "../../errors.ts";
import { explainServerRefusal } from "../../net/describe-outcome.ts";
import type { ReceiveBody } from "../../net/send-once.ts";
import type { ServerPool } from "../../net/server-pool.ts";
import { buildStreamRequest, readChunk, type ServedToken } from "./answer-protocol.ts";
import type { ServedModel } from "./served-model.ts";
import type { StatesInbox } from "./states-inbox.ts";

/** What answers with hidden states come from. */
export interface AnswerStreams {
  readonly model: ModelProfile;
  readonly pool: ServerPool;
  readonly served: ServedModel;
  readonly inbox: StatesInbox;
  /** Layers that the servers extract. */
  readonly layers: readonly number[];
}

export interface StreamAnswerOptions {
  readonly runId: number;
  readonly sampler: SamplerSettings;
  /** Of this answer alone. */
  readonly sampleSeed: number;
  /** Tokens that it may have. */
  readonly limit: number;
  /** Answers with the same key are asked of the same server. */
  readonly key: string;
  readonly signal: AbortSignal | undefined;
  /**
   * Gets each token as it comes.
   * @param answer the whole answer, if this is its last token
   */
  readonly onToken?: (token: ServedToken, answer: SampledAnswer | null) => void;
}

/** An answer, and the file of its hidden states, which is still to be taken or discarded. */
export interface StreamedAnswer {
  readonly answer: SampledAnswer;
  /** @param indices in `[...prompt, ...answer]` @returns per index: [extracted layers, D] */
  takeStates(indices: readonly number[]): Promise<readonly Float32Array[]>;
  discardStates(): void;
}

/**
 * Draws one answer as a stream, and ends it here, by the rules of the local engine: so the server has run its last token,
 * too, when it hears of the end, and the file has the states of all tokens.
 * @throws SepError `server-unreachable`, also where the connection breaks after `onToken` has had tokens; as `readAnswer`
 */
export async function streamAnswer(
  { model, pool, served, inbox, layers }: AnswerStreams,
  prompt: Prompt,
  { runId, sampler, sampleSeed, limit, key, signal, onToken }: StreamAnswerOptions,
): Promise<StreamedAnswer> {
  const requestName = inbox.nextName();
  const body = buildStreamRequest(prompt, {
    model: served.name,
    sampler,
    sampleSeed,
    maxTokens: limit,
    endTokenIds: model.endTokenIds,
    requestName,
  });
  const source = pool.servers.length === 1 ? (pool.servers[0]?.api as string) : "A server";
  let answer: SampledAnswer | null = null;
  let isShown = false;
  /** Each try begins the answer anew. */
  const receive = (): ReceiveBody => {
    if (isShown && onToken !== undefined) throw brokenOff(source);
    const readEvents = createEventReader();
    const draft = createDraft(model, { runId, sampler, limit });
    answer = null;
    return (piece, redactor) => {
      for (const text of readEvents(piece))
        for (const token of readChunk({ text, redactor }, source)) {
          // one more has come: now the states of the last one are there
          if (answer !== null) return true;
          answer = draft(token);
          onToken?.(token, answer);
          isShown = true;
        }
      return false;
    };
  };
  try {
    const outcome = await pool.post("/completions", body, { key, receive, signal });
    if (outcome.status >= 400) throw explainServerRefusal(source, outcome);
    if (answer === null) throw brokenOff(source);
  } catch (error) {
    inbox.discard(requestName);
    throw error;
  }
  const whole: SampledAnswer = { ...(answer as SampledAnswer), sampleSeed };
  const expected = {
    tokenIds: [...prompt.tokenIds, ...whole.tokenIds],
    mayGoOn: true,
    layerCount: layers.length,
    hiddenSize: model.config.hiddenSize,
  };
  return {
    answer: whole,
    takeStates: (indices) => inbox.take(requestName, indices, expected, signal),
    discardStates: () => inbox.discard(requestName),
  };
}

const brokenOff = (source: string): SepError =>
  new SepError(
    "server-unreachable",
    `${source} broke off in the middle of an answer. Check that the server is running, and its log, and ask again.`,
  );

/** Takes a stream of events in whatever pieces it comes, and gives the data of those that have become whole. */
function createEventReader(): (piece: string) => readonly string[] {
  let pending = "";
  return (piece) => {
    const events = (pending + piece).split(/\r?\n\r?\n/);
    pending = events.pop() as string;
    return events
      .filter((event) => event.startsWith("data:"))
      .map((event) => event.slice("data:".length).trim())
      .filter((data) => data !== "[DONE]");
  };
}

/** A function that takes an answer's next token, and gives the answer if that was its last. */
function createDraft(
  { tokenizer: { decode }, endTokenIds }: ModelProfile,
  { runId, sampler, limit }: Pick<StreamAnswerOptions, "runId" | "sampler" | "limit">,
): (token: ServedToken) => SampledAnswer | null {
  const { stopStrings, stopTokenIds } = sampler;
  const isEndToken = (id: number): boolean => endTokenIds.has(id) || stopTokenIds.includes(id);
  const ends = { isEndToken, stopStrings, decode };
  const tokenIds: number[] = [];
  const logprobs: number[] = [];
  const entropies: number[] = [];
  return ({ tokenId, logprob, entropy }) => {
    tokenIds.push(tokenId);
    logprobs.push(logprob);
    entropies.push(entropy);
    const isStopped = isEndToken(tokenId) || endsInStopString(tokenIds, ends);
    if (!isStopped && tokenIds.length < limit) return null;
    const finishReason = isStopped ? "stop" : "length";
    return { runId, tokenIds, ...cutAnswer(tokenIds, ends), logprobs, entropies, finishReason };
  };
}
