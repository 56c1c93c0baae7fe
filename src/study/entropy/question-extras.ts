import type { LanguageModel } from "../../engine/language-model.ts";
import { findMainAnswer } from "../../entropy/measures/estimate.ts";
import type { SampleEvidence } from "../../entropy/question-samples.ts";
import { buildPTruePrompt, logPTrue, openPTruePrompt, type PTrueShot } from "../../entropy/state-measures.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import { statementOf } from "../../meaning/nli-equivalence.ts";
import type { Samples } from "../../samples/samples.ts";
import { splitSentences } from "../../text/find-sentences.ts";

/** What models say of one question's main answer. */
export type QuestionExtras = Pick<SampleEvidence, "sentenceVerdicts" | "logPTrue">;

/** Models that assess the main answer; undefined for none. */
interface ExtraModels {
  readonly entailer: Entailer | undefined;
  readonly pTrueModel: LanguageModel | undefined;
  readonly pTrueShots: readonly PTrueShot[] | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Asks the models about a question's main answer, the one that SelfCheck and p(True) judge.
 * @param question its words, "" where they are not to be read
 */
export async function askAboutMainAnswer(
  samples: Samples,
  question: string,
  { entailer, pTrueModel, pTrueShots, signal }: ExtraModels,
): Promise<QuestionExtras> {
  const main = findMainAnswer(samples);
  const others = samples.texts.filter((_, sample) => sample !== main);
  const sentences = main === null ? [] : splitSentences(samples.texts[main]!);
  const verdicts =
    entailer === undefined || sentences.length < 2
      ? null
      : await entailer.classify(
          sentences.flatMap((sentence) =>
            others.map((other) => [statementOf(question, sentence), statementOf(question, other)] as const),
          ),
          { signal },
        );
  const answer = samples.best?.text ?? (main === null ? null : samples.texts[main]!);
  return {
    sentenceVerdicts:
      verdicts && sentences.map((_, s) => verdicts.slice(s * others.length, (s + 1) * others.length)),
    logPTrue:
      pTrueModel === undefined || answer === null
        ? null
        : await logPTrue(
            pTrueModel,
            buildPTruePrompt(
              { question: samples.question ?? "", brainstormed: samples.texts, answer },
              pTrueShots,
            ),
            { opening: pTrueShots === undefined ? "" : openPTruePrompt(pTrueShots), signal },
          ),
  };
}
