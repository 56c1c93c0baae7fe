import { rememberDecoded } from "../engine/answer-text.ts";
import { placeAnswer, type TokenSpan, type UnitPosition } from "../engine/places.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import { createSpanPool, type SpanPool } from "../probes/pooling.ts";
import type { Probe } from "../probes/probe.ts";

/** Pools the tokens of an answer while it is written. */
export interface SpanReader {
  /**
   * Takes the state of the next token.
   * @param tokenIds of the answer, up to this one at least
   * @returns what the probe reads if the answer ends here; null where that has nothing to read
   */
  see(tokenIds: readonly number[], values: Float32Array): SpanPool | null;
  /** @param span the tokens that the probe reads of the answer that has ended */
  poolOf(span: TokenSpan): SpanPool;
}

/**
 * @param endTokens what follows the answer's own tokens has at most so many, such as those of a stop string
 */
export function createSpanReader(
  probe: Probe,
  {
    tokenizer,
    prompt,
    endTokens,
  }: {
    readonly tokenizer: TextTokenizer;
    readonly prompt: Prompt;
    readonly endTokens: number;
  },
): SpanReader {
  return probe.position === "every-token" ? readWhole(probe, endTokens) : readUnits(probe, tokenizer, prompt);
}

/** The whole answer: a few numbers, and a copy of them for each token that may turn out to be behind its end. */
function readWhole(probe: Probe, endTokens: number): SpanReader {
  const pool = createSpanPool(probe);
  const recent: SpanPool[] = [];
  return {
    see(_tokenIds, values) {
      pool.add(values);
      recent.push(pool.copy());
      if (recent.length > endTokens + 1) recent.shift();
      return pool;
    },
    poolOf([, end]) {
      const found = recent.find(({ count }) => count === end);
      if (found === undefined) throw new RangeError(`The state at token ${end - 1} was not kept.`);
      return found;
    },
  };
}

/** The last step, sentence or other part, which is known only from the text: its states have to be kept until then. */
function readUnits(probe: Probe, tokenizer: TextTokenizer, prompt: Prompt): SpanReader {
  const remembering = { ...tokenizer, decode: rememberDecoded(tokenizer) };
  const position = probe.position as UnitPosition;
  const states: Float32Array[] = [];
  const poolOf = ([start, end]: TokenSpan): SpanPool => {
    const pool = createSpanPool(probe);
    for (const values of states.slice(start, end)) pool.add(values);
    return pool;
  };
  return {
    see(tokenIds, values) {
      states.push(values);
      const own = tokenIds.slice(0, states.length);
      const text = tokenizer.decode(own);
      const answer = { tokenIds: own, text, answerTokenCount: own.length };
      const last = placeAnswer(remembering, prompt, answer).lastAt(position)?.span ?? null;
      return last === null ? null : poolOf(last);
    },
    poolOf,
  };
}
