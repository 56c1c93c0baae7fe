import { countShared, scoreContinuations } from "../engine/generate/score-continuations.ts";
import { findThinkTags } from "../engine/generate/split-reasoning.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { buildPrompt } from "../engine/tokenizer/build-prompt.ts";
import { createPromptTemplate } from "../engine/tokenizer/prompt-format.ts";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import { SepError } from "../errors.ts";
import { logSumExp } from "../math/entropy.ts";
import type { JudgeLabel, JudgeModel } from "./judge-model.ts";

/**
 * A judge on the local engine. It generates nothing: of the words that the prompt asks for, it gives the one with which the
 * model is most likely to begin its reply, counting all its tokens, so every prompt gets an answer unless a least probability
 * is asked for. A reasoning model is asked with its reasoning closed.
 * @throws SepError from `complete`: `prompt-too-long`
 */
export function createLocalJudge(model: LanguageModel): JudgeModel {
  const { tokenizer, config, provenance } = model;
  return {
    name: provenance.id,
    provenance: { engine: "local", scoring: "labels", version: 1, model: { ...provenance } },
    concurrency: 1,
    async complete(prompt, { labels, opening, leastProbability = 0, signal }) {
      const promptIds = encodePrompt(tokenizer, prompt);
      const sharedTokens =
        opening === undefined ? [] : [countShared(promptIds, encodePrompt(tokenizer, opening))];
      const spellings = labels.flatMap((label) =>
        spellOut(tokenizer, label).map((tokenIds) => ({ label, tokenIds })),
      );
      const longest = Math.max(...spellings.map(({ tokenIds }) => tokenIds.length));
      if (promptIds.length + longest > config.maxPositions) throw tooLong(promptIds.length, model);
      const scores = await scoreContinuations(
        model,
        { tokenIds: promptIds, sharedTokens },
        spellings.map(({ tokenIds }) => tokenIds),
        { signal },
      );
      const totals = labels.map((label) => logSumExp(scores.filter((_, i) => spellings[i]!.label === label)));
      if (logSumExp(totals) < Math.log(leastProbability)) return "";
      return labels[totals.indexOf(Math.max(...totals))]!;
    },
  };
}

/** The token sequences by which a reply may begin with a word: bare or after a space, with or without a capital. */
function spellOut(tokenizer: TextTokenizer, label: JudgeLabel): (readonly number[])[] {
  const capital = `${label[0]!.toUpperCase()}${label.slice(1)}`;
  const texts = [label, capital, ` ${label}`, ` ${capital}`];
  const sequences = texts.map((text) => tokenizer.encode(text, { specialTokens: false }));
  return [...new Map(sequences.map((tokenIds) => [tokenIds.join(), tokenIds])).values()];
}

/** As a chat where the model has a template, else as a plain text that the reply follows. */
function encodePrompt(tokenizer: TextTokenizer, text: string): readonly number[] {
  const format = tokenizer.renderChat === null ? PLAIN : "chat";
  const prompt = buildPrompt(tokenizer, text, { format, enableThinking: false });
  if (!prompt.opensReasoning) return prompt.tokenIds;
  const closed = `\n${findThinkTags(tokenizer).close}\n\n`;
  return [...prompt.tokenIds, ...tokenizer.encode(closed, { specialTokens: false })];
}

const PLAIN = {
  kind: "template",
  template: createPromptTemplate("judge", "{question}\nResponse:"),
} as const;

const tooLong = (length: number, { provenance, config }: LanguageModel): SepError =>
  new SepError(
    "prompt-too-long",
    `A judge's prompt has ${length} tokens, but ${provenance.id} takes ${config.maxPositions}, reply included. Use another --judge-model, or another --equivalence.`,
  );
