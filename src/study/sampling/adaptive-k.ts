import { decideEntropy, samplesUntilDecidable } from "../../entropy/entropy-bounds.ts";
import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import { clusterAnswers } from "../../meaning/cluster-answers.ts";
import type { CorrectnessRule } from "../../text/correctness-rule.ts";
import { type MeaningChoice, settleEquivalence } from "../meaning/meaning-choice.ts";
import { createMeaningModels, type MeaningModels } from "../meaning/meaning-models.ts";
import { openEquivalence } from "../meaning/open-equivalence.ts";
import type { StepEvent } from "../step.ts";
import type { NextRunIds } from "./sample-question.ts";

/** To draw no more answers to a question than it takes to tell whether its entropy is above a threshold. */
export interface AdaptiveOptions {
  /** Nats of discrete semantic entropy over all K answers. */
  readonly seThreshold: number;
  /** When two answers mean the same; the entropy step has to use the same. */
  readonly meaning?: MeaningChoice | undefined;
  readonly models?: MeaningModels | undefined;
}

/** Draws no more answers than the decision takes. */
export interface AdaptiveK extends AsyncDisposable {
  /** All that decides where it stops, for the manifest. */
  readonly settings: Json;
  /** No run ids when no further answers can change the decision, or all K are there. */
  readonly nextRunIds: NextRunIds;
}

/**
 * Opens the relation that adaptive sampling clusters by. A question's answers are taken in the order of their run ids,
 * so that what is drawn is always the beginning of what would be drawn without it, and where it stops does not depend
 * on where it was interrupted.
 * @param total K
 * @throws SepError `bad-option` for a threshold that no K answers exceed, and clusters that further answers may merge;
 *   those of `openEquivalence`
 */
export async function* openAdaptiveK(
  total: number,
  correctness: CorrectnessRule,
  { seThreshold, meaning = {}, models = createMeaningModels() }: AdaptiveOptions,
  signal?: AbortSignal,
): AsyncGenerator<StepEvent, AdaptiveK> {
  checkOptions(total, seThreshold, meaning);
  const name = settleEquivalence(meaning.equivalence ?? "auto", [correctness]);
  const opened = yield* openEquivalence(name, meaning, { models, leavesPairs: true, signal });
  const { equivalence } = opened;
  return {
    settings: { se_threshold: seThreshold, equivalence: equivalence.provenance },
    async nextRunIds({ question }, there, signal) {
      const byId = new Map(there.map((run) => [run.run_id, run]));
      const answers: (string | null)[] = [];
      for (let run = byId.get(0); run !== undefined; run = byId.get(answers.length))
        answers.push(run.extracted_answer);
      const { clusterIds } = await clusterAnswers(answers, equivalence, { question, signal });
      const further = samplesUntilDecidable(countSizes(clusterIds), total, seThreshold);
      const wanted = Array.from({ length: further }, (_, i) => answers.length + i);
      return wanted.filter((id) => !byId.has(id));
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

function checkOptions(total: number, seThreshold: number, { clustering = "greedy" }: MeaningChoice): void {
  if (decideEntropy([], total, seThreshold) !== "open" || !(seThreshold >= 0))
    throw new SepError(
      "bad-option",
      `The entropy threshold of adaptive sampling is ${seThreshold} nats, expected from 0 to below ${Math.log(total).toFixed(3)}, which ${total} answers can reach at most. Choose another --se-threshold.`,
    );
  if (clustering !== "greedy")
    throw new SepError(
      "bad-option",
      `Got adaptive sampling with the clustering ${clustering}, in which a further answer may merge clusters, so that no bound holds. Use greedy.`,
    );
}

function countSizes(clusterIds: readonly number[]): number[] {
  const sizes: number[] = [];
  for (const id of clusterIds) sizes[id] = (sizes[id] ?? 0) + 1;
  return sizes;
}
