import type { ModelProfile } from "../checkpoint/load-model-profile.ts";
import type { SampledAnswer } from "../engine/generate/generate.ts";
import { createTextDeltas } from "../engine/generate/text-deltas.ts";
import { tokeniseAnswer } from "../engine/generate/tokenise-answer.ts";
import { type LayerStates, stateAt } from "../engine/layer-states.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import { SepError } from "../errors.ts";
import { drain } from "../net/map-concurrently.ts";
import type { AnswerBackend, AnswerSampler } from "../samples/answer-backend.ts";
import type { StateBackend, StateReader } from "../states/state-backend.ts";
import type { LiveBackend, LiveEvent, LiveModel } from "./live-model.ts";

/**
 * Answers live from a backend that samples whole answers and one that reads whole sequences: an answer's tokens come when
 * it is complete, and its states after them. Both have the same model.
 */
export function composeLive(answers: AnswerBackend | undefined, states: StateBackend): LiveBackend {
  const { model, normState, metadata: source } = states;
  return {
    model,
    normState,
    source,
    async *openLive() {
      const parts = { model, reader: yield* states.openReader(1) };
      let sampler: Promise<AnswerSampler> | null = null;
      // a backend looks at the first prompt when it gets ready, and there is none before the first request
      const sampling = (prompt: Prompt): Promise<AnswerSampler> => {
        if (answers === undefined)
          throw new SepError(
            "bad-backend",
            `The backend ${states.name} reads hidden states and generates no answers. Give the answers, or use another backend.`,
          );
        sampler ??= drain(answers.openSampler([prompt]));
        sampler.catch(() => {
          sampler = null;
        });
        return sampler;
      };

      return {
        model,
        normState,
        source,
        async *generate(prompt, options) {
          const {
            sampler: settings,
            runIds = [0],
            seed = 42,
            streamKey = "",
            topLogprobs = 0,
            signal,
          } = options;
          if (topLogprobs > 0)
            throw new SepError(
              "bad-option",
              `The backend ${states.name} names no likely tokens beside the one that was drawn. Leave top_logprobs out.`,
            );
          const { draw } = await sampling(prompt);
          const drawn = await draw(prompt, { runIds, sampler: settings, seed, streamKey, signal });
          for (const [row, answer] of drawn.entries()) yield* replay(parts, prompt, row, answer, options);
          return drawn;
        },
        read: createTextReader(parts),
        async [Symbol.asyncDispose]() {
          await parts.reader[Symbol.asyncDispose]();
          const opened = await sampler?.catch(() => null);
          await opened?.[Symbol.asyncDispose]();
        },
      } satisfies LiveModel;
    },
  };
}

/** A model's tokenizer, and what reads its states. */
interface TextReaderParts {
  readonly model: ModelProfile;
  readonly reader: StateReader;
}

/** Reads a text as the answer to a prompt, with the states of a reader of whole sequences. */
export function createTextReader(parts: TextReaderParts): LiveModel["read"] {
  const { model } = parts;
  return async function* read(prompt, text, options) {
    const { tokenIds, end, ...rest } = tokeniseAnswer(model, text, options.sampler);
    const whole = [...tokenIds, ...(end ?? options.ending ?? [...model.endTokenIds].slice(0, 1))];
    const unknown = whole.map(() => Number.NaN);
    const answer: SampledAnswer = {
      runId: 0,
      tokenIds: whole,
      ...rest,
      logprobs: unknown,
      entropies: unknown,
      finishReason: "stop",
    };
    yield* replay(parts, prompt, 0, answer, options);
    return answer;
  };
}

/** The events of an answer that is complete. */
async function* replay(
  { model, reader }: TextReaderParts,
  prompt: Prompt,
  row: number,
  answer: SampledAnswer,
  { sampler: { stopStrings }, layers = [], text = true, signal }: Parameters<LiveModel["read"]>[2],
): AsyncGenerator<LiveEvent, void> {
  const deltas = text ? createTextDeltas(model.tokenizer, stopStrings) : null;
  for (const [i, tokenId] of answer.tokenIds.entries()) {
    const isLast = i === answer.tokenIds.length - 1;
    yield {
      kind: "token",
      row,
      tokenId,
      delta: (isLast ? deltas?.end(answer.text) : deltas?.push(tokenId)) ?? "",
      logprob: answer.logprobs[i] ?? Number.NaN,
      entropy: answer.entropies[i] ?? Number.NaN,
      top: [],
      residual: null,
    };
  }
  if (layers.length > 0) {
    const start = prompt.tokenIds.length;
    const indices = answer.tokenIds.map((_, i) => start + i);
    const read = await reader.read(prompt.tokenIds, [{ tokenIds: answer.tokenIds, indices }], {
      layers,
      signal,
    });
    const states = read.answers[0] as LayerStates;
    const ofTokens = indices.map((_, i) => stateAt(states, i, model.config.hiddenSize));
    yield { kind: "states", row, residuals: [read.beforeGeneration, ...ofTokens] };
  }
  yield { kind: "end", row, answer, residual: null };
}
