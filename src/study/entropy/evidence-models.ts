import type { TextEmbedder } from "../../meaning/cosine-equivalence.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import type { MeaningModels } from "../meaning/meaning-models.ts";
import type { MeaningChoice } from "../meaning/open-equivalence.ts";
import type { OpenGrouping } from "../meaning/open-grouping.ts";
import type { StepEvent } from "../step.ts";
import { type EstimateOptions, needs } from "./estimate-options.ts";

/** Models that look at pairs of answers for estimates' sake, beyond what grouping them took. */
export interface EvidenceModels extends AsyncDisposable {
  readonly entailer: Entailer | undefined;
  readonly embedder: TextEmbedder | undefined;
}

/** Whether an NLI model groups the answers; `hybrid` has none where words and numbers decide every pair. */
export const groupsByNli = ({ name, readsQuestions }: OpenGrouping): boolean =>
  name === "nli" || (name === "hybrid" && readsQuestions);

/**
 * Whether an NLI model will read pairs for estimates: where they need verdicts that grouping does not leave, and the
 * user has named a model, or grouping has one. No model is fetched unasked.
 */
export function wantsEntailer(
  options: EstimateOptions,
  { nliModel }: MeaningChoice,
  grouping: OpenGrouping,
): boolean {
  if (!groupsByNli(grouping) && nliModel === undefined) return false;
  if (needs(options, "sentence_verdicts")) return true;
  return grouping.name !== "nli" && (options.seMode !== undefined || needs(options, "entailment"));
}

/** @throws SepError as the models do when they are opened */
export async function* openEvidenceModels(
  options: EstimateOptions,
  choice: MeaningChoice,
  {
    grouping,
    models,
    signal,
  }: {
    readonly grouping: OpenGrouping;
    readonly models: MeaningModels;
    readonly signal?: AbortSignal | undefined;
  },
): AsyncGenerator<StepEvent, EvidenceModels> {
  const entailer = wantsEntailer(options, choice, grouping)
    ? yield* models.openEntailer(choice, signal)
    : undefined;
  const wantsEmbedder = choice.cosineModel !== undefined && grouping.name !== "cosine";
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
