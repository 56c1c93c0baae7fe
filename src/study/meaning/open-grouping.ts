import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import { type Clustering, distinctTexts } from "../../meaning/cluster-questions.ts";
import { readEditedClusters } from "../../meaning/edited-clusters.ts";
import { leavesUndecided } from "../../meaning/hybrid-equivalence.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import type { AnswerSample, Grouping, QuestionOf } from "../entropy/cluster-runs.ts";
import type { StepEvent } from "../step.ts";
import { type MeaningChoice, settleEquivalence } from "./meaning-choice.ts";
import type { MeaningModels } from "./meaning-models.ts";
import { openEquivalence } from "./open-equivalence.ts";

/** Samples that are to be grouped, and what kind of answers they are. */
export interface GroupableSamples {
  readonly questions: readonly (readonly AnswerSample[])[];
  /** All, also those of questions that are left out. */
  readonly runs: readonly (AnswerSample & Pick<RunRecord, "correctness">)[];
}

/** What will group answers, settled and with its models open. */
export interface OpenGrouping extends AsyncDisposable {
  /** Of the relation, or "edited". */
  readonly name: string;
  /** null for edited clusters. */
  readonly clustering: Clustering | null;
  /** All that decides the groups, for the manifest. */
  readonly settings: Readonly<Record<string, Json>>;
  /** Whether it has to know the questions' words. */
  readonly readsQuestions: boolean;
  /** @param questionOf as `Grouping` has it; not called unless questions are read */
  create(questionOf: QuestionOf): Grouping;
}

export interface OpenGroupingOptions extends MeaningChoice {
  /** A clusters file that takes the place of a relation. */
  readonly clustersFile?: string | undefined;
  readonly models: MeaningModels;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens what groups the answers of a runs file.
 * @throws SepError `bad-option`, `bad-clusters-file`, and those of `openEquivalence`
 */
export async function* openGrouping(
  samples: GroupableSamples,
  options: OpenGroupingOptions,
): AsyncGenerator<StepEvent, OpenGrouping> {
  const { equivalence: asked = "auto", clustersFile, clustering = "greedy", models, signal } = options;
  if (clustersFile !== undefined && asked !== "auto")
    throw new SepError(
      "bad-option",
      `Got a clusters file and the equivalence ${asked}, and each of them says what means the same. Give one (--clusters or --equivalence).`,
    );
  if (clustersFile !== undefined) return openEdited(clustersFile, samples);
  const name = settleEquivalence(
    asked,
    samples.runs.map((run) => run.correctness),
  );
  const leavesPairs =
    name === "hybrid" &&
    samples.questions.some((runs) => leavesUndecided(distinctTexts(runs.map((run) => run.extracted_answer))));
  const opened = yield* openEquivalence(name, options, { models, leavesPairs, signal });
  const { equivalence, readsQuestions } = opened;
  return {
    name: equivalence.name,
    clustering,
    settings: { equivalence: equivalence.provenance, clustering },
    readsQuestions,
    create: (questionOf) => ({ kind: "relation", equivalence, clustering, questionOf }),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

async function openEdited(path: string, { questions, runs }: GroupableSamples): Promise<OpenGrouping> {
  const wanted = questions.map((samples) => ({
    questionId: samples[0]!.question_id,
    runIds: samples.map((run) => run.run_id),
  }));
  const known = new Set(runs.map((run) => run.question_id));
  const clusters = await readEditedClusters(path, wanted, known);
  return {
    name: "edited",
    clustering: null,
    settings: { equivalence: clusters.provenance, clustering: null },
    readsQuestions: false,
    create: (questionOf) => ({ kind: "edited", clusters, questionOf }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/**
 * The words of the questions that runs answer. A run's prompt has them among other words, and is no substitute.
 * @throws SepError `missing-input` if the file or a question of it is not there
 */
export async function readQuestionTexts(path: string, runs: readonly RunRecord[]): Promise<QuestionOf> {
  const { questions } = await loadQuestions(path);
  const textOf = new Map(questions.map(({ id, question }) => [id, question]));
  const missing = [...new Set(runs.map((run) => run.question_id).filter((id) => !textOf.has(id)))];
  if (missing.length > 0)
    throw new SepError(
      "missing-input",
      `${path} lacks ${missing.length} of the questions that the runs answer, ${JSON.stringify(missing[0])} among them, and this equivalence compares answers together with their questions. Put them back, or use --equivalence exact or math, which compare answers alone.`,
    );
  return (run) => textOf.get(run.question_id)!;
}
