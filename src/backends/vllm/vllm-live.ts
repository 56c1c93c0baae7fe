import type { OpeningEvent } from "../../checkpoint/opening-event.ts";
import type { SampledAnswer } from "../../engine/generate/generate.ts";
import { createTextDeltas } from "../../engine/generate/text-deltas.ts";
import { everyLayer } from "../../engine/resolve-layers.ts";
import { buildPrompt } from "../../engine/tokenizer/build-prompt.ts";
import { SepError } from "../../errors.ts";
import { runConcurrently } from "../../net/map-concurrently.ts";
import { createTextReader } from "../compose-live.ts";
import type { LiveEvent, LiveModel } from "../live-model.ts";
import { type AnswerStreams, streamAnswer } from "./answer-stream.ts";
import { checkServers } from "./check-servers.ts";
import { createStatesInbox } from "./states-inbox.ts";
import { requireRoom, roomOf, sampleSeedOf } from "./vllm-answers.ts";
import { createVllmStates, extractsNothing, requestStates, selectLayers } from "./vllm-states.ts";

interface VllmLiveOptions extends Omit<AnswerStreams, "inbox"> {
  /** How long after an answer the file of its hidden states may be written. */
  readonly waitMs?: number | undefined;
}

/** What a vLLM server names of the likeliest tokens. */
const MOST_TOP_LOGPROBS = 20;

/**
 * Answers live from vLLM servers that extract hidden states: an answer's tokens come as they are drawn, and the states of
 * all of them from the same request, when it has ended.
 * @param options `layers`: those that will be read; the servers may extract all others, too
 * @throws SepError as `checkServers`; `bad-states` for servers that extract nothing, or other layers
 */
export async function* openVllmLive({
  waitMs,
  ...servers
}: VllmLiveOptions): AsyncGenerator<OpeningEvent, LiveModel> {
  const { model, pool, served } = servers;
  const inbox = createStatesInbox({ waitMs });
  const room = roomOf(served, model);
  let extracted: readonly number[];
  try {
    extracted = await checkLive({ ...servers, inbox });
  } catch (error) {
    await inbox[Symbol.asyncDispose]();
    throw error;
  }
  const streams: AnswerStreams = { model, pool, served, inbox, layers: extracted };
  const { normState, metadata: source, openReader } = createVllmStates({ ...streams, waitMs });
  const reader = yield* openReader(1);
  return {
    model,
    normState,
    source,
    async *generate(prompt, options) {
      const { sampler, runIds = [0], seed = 42, streamKey = "", topLogprobs = 0, signal } = options;
      const { layers = [], text = true } = options;
      requireRoom(prompt, room);
      if (topLogprobs > MOST_TOP_LOGPROBS)
        throw new SepError(
          "bad-option",
          `Got ${topLogprobs} likely tokens to name beside each that is drawn, but vLLM names ${MOST_TOP_LOGPROBS}. Ask for fewer top_logprobs.`,
        );
      const limit = Math.min(sampler.maxNewTokens, room - prompt.tokenIds.length);
      const select = selectLayers(extracted, layers, model.config.hiddenSize);

      /** The events of one answer. */
      async function* answerOne(row: number, stop: AbortSignal): AsyncGenerator<LiveEvent, SampledAnswer> {
        const runId = runIds[row] as number;
        const sampleSeed = sampleSeedOf(seed, streamKey, runId);
        const deltas = text ? createTextDeltas(model.tokenizer, sampler.stopStrings) : null;
        const events = createEventQueue();
        const streaming = streamAnswer(streams, prompt, {
          ...{ runId, sampler, sampleSeed, limit, signal: stop },
          key: streamKey,
          onToken({ tokenId, logprob, entropy, top: most }, answer) {
            const delta = (answer === null ? deltas?.push(tokenId) : deltas?.end(answer.text)) ?? "";
            const top = most.slice(0, topLogprobs);
            events.push({ kind: "token", row, tokenId, delta, logprob, entropy, top, residual: null });
          },
        });
        streaming.then(events.end, events.end);
        let isTaken = false;
        try {
          yield* events.drain();
          const { answer, takeStates } = await streaming;
          if (layers.length > 0) {
            isTaken = true;
            const from = prompt.tokenIds.length - 1;
            const read = await takeStates([from, ...answer.tokenIds.map((_, i) => from + 1 + i)]);
            yield { kind: "states", row, residuals: read.map(select) };
          }
          yield { kind: "end", row, answer, residual: null };
          return answer;
        } finally {
          // nobody may have wanted the states, or wait for them any more
          if (!isTaken)
            streaming.then(
              ({ discardStates }) => discardStates(),
              () => undefined,
            );
        }
      }
      const rows = runIds.map((_, row) => row);
      return yield* runConcurrently(rows, answerOne, { concurrency: rows.length, signal });
    },
    read: createTextReader({ model, reader }),
    async [Symbol.asyncDispose]() {
      await reader[Symbol.asyncDispose]();
      await inbox[Symbol.asyncDispose]();
    },
  };
}

const CHECK_QUESTION = "What is 12 + 30?";

/**
 * Checks the servers before the first question.
 * @returns the layers that they extract: those that are asked for, or all that the model has
 */
async function checkLive(streams: AnswerStreams): Promise<readonly number[]> {
  const { model, pool, served, inbox, layers } = streams;
  const prompt = buildPrompt(model.tokenizer, CHECK_QUESTION);
  const signal = undefined;
  const { extracts } = await checkServers(prompt, { ...streams, api: "completions", signal });
  if (!extracts) throw extractsNothing();
  const name = inbox.nextName();
  await inbox.announce(name, await requestStates(pool, served.name, prompt.tokenIds, name, signal));
  const count = await inbox.countLayers(name, signal);
  const all = everyLayer(model.config);
  const found = [layers, all].find(({ length }) => length === count);
  if (found !== undefined) return found;
  throw new SepError(
    "bad-states",
    `The server extracts ${count} layers, expected layers ${layers.join(", ")} or all ${all.length}. Start it with the command that \`sep vllm-command --layers ${layers.join(",")}\` prints, or without --layers.`,
  );
}

/** Events that come on their own, for a generator to pass on. */
interface EventQueue {
  push(event: LiveEvent): void;
  end(): void;
  /** Until the end. */
  drain(): AsyncGenerator<LiveEvent, void>;
}

function createEventQueue(): EventQueue {
  const events: LiveEvent[] = [];
  let hasEnded = false;
  let wake = (): void => undefined;
  return {
    push(event) {
      events.push(event);
      wake();
    },
    end() {
      hasEnded = true;
      wake();
    },
    async *drain() {
      for (;;) {
        yield* events.splice(0);
        if (events.length > 0) continue;
        if (hasEnded) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
