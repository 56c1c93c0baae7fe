import { discreteSemanticEntropy, semanticEntropy } from "../entropy/semantic-entropy.ts";
import { clusterAnswers } from "../meaning/cluster-answers.ts";
import { drain } from "../net/map-concurrently.ts";
import { extractAnswers } from "../samples/grade-answer.ts";
import type { MeaningModels } from "../study/meaning/meaning-models.ts";
import {
  type MeaningChoice,
  openEquivalence,
  resolveEquivalence,
} from "../study/meaning/open-equivalence.ts";
import type { EquivalenceName } from "../study/settings/meaning.ts";

/** Answers to one question. */
export interface EntropyInput {
  readonly question: string;
  /** [K] without reasoning */
  readonly texts: readonly string[];
  /** [K] mean token log-probability, nats; null where nobody knows them */
  readonly meanLogprobs: readonly number[] | null;
}

/** What sampled answers mean, and how far they disagree. */
export interface MeasuredEntropy {
  readonly samples: number;
  /** The rule that decided which answers mean the same. */
  readonly equivalence: string;
  /** Weighted by length-normalised probabilities, nats, in [0, ln K]; null without log-probabilities. */
  readonly semantic_entropy: number | null;
  /** By the share of samples in each cluster, nats, in [0, ln K]. */
  readonly discrete_semantic_entropy: number;
  /** The largest first. */
  readonly clusters: readonly {
    /** Of its likeliest sample; null for samples in which no answer was found. */
    readonly answer: string | null;
    /** Indices of its samples, the likeliest first. */
    readonly members: readonly number[];
    /** Of all samples, in (0, 1]. */
    readonly share: number;
  }[];
}

/** Measures semantic entropy; its models are opened when they are first needed. */
export interface EntropyMeter extends AsyncDisposable {
  /** @throws SepError of the models, `bad-option` */
  measure(input: EntropyInput, signal?: AbortSignal): Promise<MeasuredEntropy>;
}

type OpenedEquivalence = Awaited<ReturnType<typeof drainEquivalence>>;

export function createEntropyMeter(choice: MeaningChoice, models: MeaningModels): EntropyMeter {
  const opened = new Map<EquivalenceName, Promise<OpenedEquivalence>>();
  const open = (name: EquivalenceName): Promise<OpenedEquivalence> => {
    const known = opened.get(name);
    if (known !== undefined) return known;
    const opening = drainEquivalence(name, choice, models);
    opened.set(name, opening);
    // another request may have more luck
    opening.catch(() => opened.delete(name));
    return opening;
  };
  return {
    async measure({ question, texts, meanLogprobs }, signal) {
      const { questions, kind } = extractAnswers([{ texts, extracted: null }]);
      const answers = questions.flatMap(({ extracted }) => extracted);
      const name = resolveEquivalence(choice.equivalence ?? "auto", [kind]);
      const { equivalence } = await open(name);
      const { clustering } = choice;
      const { clusterIds, clusterCount } = await clusterAnswers(answers, equivalence, {
        question,
        clustering,
        signal,
      });
      const likelihood = (index: number): number => meanLogprobs?.[index] ?? 0;
      const clusters = Array.from({ length: clusterCount }, (_, cluster) => {
        const members = [...texts.keys()]
          .filter((index) => clusterIds[index] === cluster)
          .sort((a, b) => likelihood(b) - likelihood(a) || a - b);
        return {
          answer: answers[members[0] as number] ?? null,
          members,
          share: members.length / texts.length,
        };
      }).sort((a, b) => b.members.length - a.members.length);
      return {
        samples: texts.length,
        equivalence: equivalence.name,
        semantic_entropy: meanLogprobs === null ? null : semanticEntropy(clusterIds, meanLogprobs),
        discrete_semantic_entropy: discreteSemanticEntropy(clusterIds),
        clusters,
      };
    },
    async [Symbol.asyncDispose]() {
      for (const opening of opened.values())
        await opening.then((each) => each[Symbol.asyncDispose]()).catch(() => undefined);
    },
  };
}

const drainEquivalence = (name: EquivalenceName, choice: MeaningChoice, models: MeaningModels) =>
  drain(openEquivalence(name, choice, { models, leavesPairs: true }));
