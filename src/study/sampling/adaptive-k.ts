import { decideEntropy, samplesUntilDecidable } from "../../entropy/entropy-bounds.ts";
import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import { clusterAnswers } from "../../meaning/cluster-answers.ts";
import type { Question } from "../../samples/question.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import type { Grader } from "../../text/open-answer.ts";
import { createMeaningModels, type MeaningModels } from "../meaning/meaning-models.ts";
import { type MeaningChoice, openEquivalence, resolveEquivalence } from "../meaning/open-equivalence.ts";
import type { StepEvent } from "../step.ts";

/** To sample no more answers to a question than it takes to tell whether its entropy is above a threshold. */
export interface AdaptiveOptions {
  /** Nats of discrete semantic entropy over all K answers. */
  readonly seThreshold: number;
  /** When two answers mean the same; the entropy step has to use the same. */
  readonly meaning?: MeaningChoice | undefined;
  readonly models?: MeaningModels | undefined;
}

/** Samples no more answers than the decision takes. */
export interface AdaptiveK extends AsyncDisposable {
  /** Everything that decides where it stops, for the manifest. */
  readonly settings: Json;
  /** No run ids if no further answers can change the decision, or if all K exist. */
  readonly nextRunIds: NextRunIds;
}

/**
 * Opens the relation that adaptive sampling clusters by. A question's answers are taken in the order of their run ids,
 * so that what is sampled is always the beginning of what would be sampled without it, and where it stops does not depend
 * on where it was interrupted.
 * @param total K
 * @throws SepError `bad-option` for a threshold that no K answers exceed, and clusters that further answers may merge;
 *   those of `openEquivalence`
 */
export async function* openAdaptiveK(
  total: number,
  correctness: Grader,
  { seThreshold, meaning = {}, models = createMeaningModels() }: AdaptiveOptions,
  signal?: AbortSignal,
): AsyncGenerator<StepEvent, AdaptiveK> {
  checkOptions(total, seThreshold, meaning);
  const name = resolveEquivalence(meaning.equivalence ?? "auto", [correctness]);
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
      `The entropy threshold of adaptive sampling is ${seThreshold} nats, expected from 0 to below ${Math.log(total).toFixed(3)}, the most that ${total} answers can reach. Choose another --se-threshold.`,
    );
  if (clustering !== "greedy")
    throw new SepError(
      "bad-option",
      `Got adaptive sampling with the clustering ${clustering}, in which a further answer can merge clusters, so that no bound holds. Use greedy.`,
    );
}

function countSizes(clusterIds: readonly number[]): number[] {
  const sizes: number[] = [];
  for (const id of clusterIds) sizes[id] = (sizes[id] ?? 0) + 1;
  return sizes;
}

/**
 * Says which answers a question still lacks.
 * @param there the answers so far, in any order
 * @returns run ids; none when the question is finished
 */
export type NextRunIds = (
  question: Question,
  there: readonly RunRecord[],
  signal?: AbortSignal,
) => Promise<readonly number[]>;

/** All of `runs` answers. */
export function allRunIds(runs: number): NextRunIds {
  return async (_question, there) => {
    const known = new Set(there.map((run) => run.run_id));
    return Array.from({ length: runs }, (_, run) => run).filter((run) => !known.has(run));
  };
}

/**
 * Draws answers to a question until it lacks none.
 * @param sample draws and records the answers with these run ids
 * @returns what was drawn
 */
export async function sampleQuestion(
  sample: (
    question: Question,
    runIds: readonly number[],
    signal?: AbortSignal,
  ) => Promise<readonly RunRecord[]>,
  question: Question,
  there: readonly RunRecord[],
  nextRunIds: NextRunIds,
  signal?: AbortSignal,
): Promise<readonly RunRecord[]> {
  const drawn: RunRecord[] = [];
  for (;;) {
    const runIds = await nextRunIds(question, [...there, ...drawn], signal);
    if (runIds.length === 0) return drawn;
    drawn.push(...(await sample(question, runIds, signal)));
  }
}
