import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import { type Clustering, distinctTexts } from "../../meaning/cluster-answers.ts";
import { leavesUndecided } from "../../meaning/hybrid-equivalence.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import type { ExtractedSamples } from "../../samples/samples.ts";
import type { Grader } from "../../text/open-answer.ts";
import type { Clusterer, QuestionOf } from "../entropy/cluster-runs.ts";
import type { StepEvent } from "../step.ts";
import { readEditedClusters } from "./edited-clusters.ts";
import type { MeaningModels } from "./meaning-models.ts";
import { type MeaningChoice, openEquivalence, resolveEquivalence } from "./open-equivalence.ts";

/** Samples to cluster, and what kind of answers they are. */
export interface ClusterableSamples {
  readonly questions: readonly ExtractedSamples[];
  /** Ids of all questions, also of those that are left out. */
  readonly questionIds: ReadonlySet<string>;
  /** The rules that graded the answers. */
  readonly rules: Iterable<Grader>;
}

/** What clusters the answers, resolved and with its models open. */
export interface OpenClusterer extends AsyncDisposable {
  /** Of the relation, or "edited". */
  readonly name: string;
  /** null for edited clusters. */
  readonly clustering: Clustering | null;
  /** All that determines the clusters, for the manifest. */
  readonly settings: Readonly<Record<string, Json>>;
  /** Whether it needs the text of the questions. */
  readonly readsQuestions: boolean;
  /** @param questionOf as `Clusterer` has it; not called unless questions are read */
  create(questionOf: QuestionOf): Clusterer;
}

interface OpenClustererOptions extends MeaningChoice {
  /** A clusters file that takes the place of a relation. */
  readonly clustersFile?: string | undefined;
  readonly models: MeaningModels;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens what clusters the answers of a runs file.
 * @throws SepError `bad-option`, `bad-clusters-file`, and those of `openEquivalence`
 */
export async function* openClusterer(
  samples: ClusterableSamples,
  options: OpenClustererOptions,
): AsyncGenerator<StepEvent, OpenClusterer> {
  const { equivalence: asked = "auto", clustersFile, clustering = "greedy", models, signal } = options;
  if (clustersFile !== undefined && asked !== "auto")
    throw new SepError(
      "bad-option",
      `Got both a clusters file and the equivalence ${asked}, and each defines which answers mean the same. Give only one of them (--clusters or --equivalence).`,
    );
  if (clustersFile !== undefined) return openEdited(clustersFile, samples);
  const name = resolveEquivalence(asked, samples.rules);
  const leavesPairs =
    name === "hybrid" && samples.questions.some(({ extracted }) => leavesUndecided(distinctTexts(extracted)));
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

async function openEdited(
  path: string,
  { questions, questionIds }: ClusterableSamples,
): Promise<OpenClusterer> {
  const wanted = questions.map(({ id, runIds }) => ({ questionId: id, runIds }));
  const clusters = await readEditedClusters(path, wanted, questionIds);
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
 * The text of the questions that samples answer. The prompt contains it among other text, and is no substitute.
 * @throws SepError `missing-input` if the file or a question of it is not there
 */
export async function readQuestionTexts(
  path: string,
  asked: readonly ExtractedSamples[],
): Promise<QuestionOf> {
  const { questions } = await loadQuestions(path);
  const textOf = new Map(questions.map(({ id, question }) => [id, question]));
  const missing = asked.map(({ id }) => id).filter((id) => !textOf.has(id));
  if (missing.length > 0)
    throw new SepError(
      "missing-input",
      `${path} lacks ${missing.length} of the questions that the runs answer, such as ${JSON.stringify(missing[0])}, but this equivalence compares answers together with their questions. Put the questions back, or use --equivalence exact or math, which compare only the answers.`,
    );
  return ({ id }) => textOf.get(id)!;
}
