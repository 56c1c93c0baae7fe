import type { TextEmbedder } from "../../meaning/cosine-equivalence.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import type { MeaningModels } from "../meaning/meaning-models.ts";
import type { OpenClusterer } from "../meaning/open-clusterer.ts";
import type { MeaningChoice } from "../meaning/open-equivalence.ts";
import type { StepEvent } from "../step.ts";
import { type EstimateOptions, needs } from "./estimate-options.ts";

/** Models that compare pairs of answers for uncertainty measures, beyond the verdicts that clustering needed. */
export interface EvidenceModels extends AsyncDisposable {
  readonly entailer: Entailer | undefined;
  readonly embedder: TextEmbedder | undefined;
}

/** Whether an NLI model clusters the answers; `hybrid` has none if words and numbers decide every pair. */
export const clustersByNli = ({ name, readsQuestions }: OpenClusterer): boolean =>
  name === "nli" || (name === "hybrid" && readsQuestions);

/**
 * Whether an NLI model reads pairs for uncertainty measures: if these need verdicts that clustering does not produce, and the
 * user has named a model, or clustering has opened one. No model is downloaded unasked.
 */
export function wantsEntailer(
  options: EstimateOptions,
  { nliModel }: MeaningChoice,
  clusterer: OpenClusterer,
): boolean {
  if (!clustersByNli(clusterer) && nliModel === undefined) return false;
  if (needs(options, "sentence_verdicts")) return true;
  return clusterer.name !== "nli" && (options.seMode !== undefined || needs(options, "entailment"));
}

/** @throws SepError as the models do when they are opened */
export async function* openEvidenceModels(
  options: EstimateOptions,
  choice: MeaningChoice,
  {
    clusterer,
    models,
    signal,
  }: {
    readonly clusterer: OpenClusterer;
    readonly models: MeaningModels;
    readonly signal?: AbortSignal | undefined;
  },
): AsyncGenerator<StepEvent, EvidenceModels> {
  const entailer = wantsEntailer(options, choice, clusterer)
    ? yield* models.openEntailer(choice, signal)
    : undefined;
  const wantsEmbedder = choice.cosineModel !== undefined && clusterer.name !== "cosine";
  try {
    const embedder =
      wantsEmbedder && needs(options, "similarity")
        ? (yield* models.openEmbedder(choice.cosineModel, signal)).embedder
        : undefined;
    return {
      entailer,
      embedder,
      async [Symbol.asyncDispose]() {
        await entailer?.[Symbol.asyncDispose]();
        await embedder?.[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await entailer?.[Symbol.asyncDispose]();
    throw error;
  }
}
