import { SepError, type SepErrorCode } from "../../errors.ts";
import { type FileChoice, LANGUAGE_MODEL_FILES } from "./choose-files.ts";
import { type CachedModel, findCachedModel } from "./find-cached-model.ts";
import type { Hub, PullEvent, PullNote } from "./hub.ts";
import { formatHubModelId, type HubModelId } from "./hub-model-id.ts";
import { type PulledCommit, pullRepository } from "./pull-repository.ts";

export interface FetchModelOptions {
  /** Which of its files are wanted; a language model's by default. */
  readonly choice?: FileChoice | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds a model in the cache, and asks the hub only for what is missing. A model that is cached completely is used
 * even when the hub gives no answer.
 * @throws SepError `model-not-cached` in offline mode, and as `pullRepository`
 */
export async function* fetchModel(
  hub: Hub,
  id: HubModelId,
  { choice = LANGUAGE_MODEL_FILES, signal }: FetchModelOptions = {},
): AsyncGenerator<PullEvent, PulledCommit> {
  const cached = await findCachedModel(hub.settings, id, choice);
  const isUsable = cached !== null && cached.missing.length === 0;
  if (isUsable && cached.unknown.length === 0) return cached;
  if (hub.settings.offline) {
    if (!isUsable) throw explainOffline(hub, id, cached);
    yield warnOfUnknown(id, cached);
    return cached;
  }
  if (!isUsable) {
    // cached weights are not downloaded again only because the branch has moved on
    const pinned = cached !== null && hasWeights(cached, choice) ? { ...id, revision: cached.commit } : id;
    try {
      return yield* pullRepository(hub, pinned, { choice, signal });
    } catch (error) {
      // the hub no longer has the commit: its history was rewritten
      if (pinned === id || !hasCode(error, ["revision-not-found"])) throw error;
    }
    return yield* pullRepository(hub, id, { choice, signal });
  }
  try {
    return yield* pullRepository(hub, { ...id, revision: cached.commit }, { choice, tries: 1, signal });
  } catch (error) {
    if (!hasCode(error, NO_ANSWER)) throw error;
    yield warnOfUnknown(id, cached);
    return cached;
  }
}

/** Errors after which a cached copy is used: the hub cannot be reached, or no longer lets us see the model. */
const NO_ANSWER: readonly SepErrorCode[] = [
  "hub-unreachable",
  "revision-not-found",
  "model-not-found",
  "gated-model",
  "hub-token-refused",
];

const hasCode = (error: unknown, codes: readonly SepErrorCode[]): boolean =>
  error instanceof SepError && codes.includes(error.code);

const hasWeights = ({ missing }: CachedModel, { weights }: FileChoice): boolean =>
  !missing.some((name) => weights.includes(name) || name.endsWith(".safetensors"));

function warnOfUnknown(id: HubModelId, { unknown }: CachedModel): PullNote {
  return {
    kind: "note",
    message: `using the cached ${formatHubModelId(id)}, which lacks ${unknown.join(", ")}; without the Hub it is not known whether the model has such files`,
  };
}

function explainOffline({ settings }: Hub, id: HubModelId, cached: CachedModel | null): SepError {
  const name = formatHubModelId(id);
  return new SepError(
    "model-not-cached",
    `${name} is not in ${settings.cacheFolder}${
      cached === null ? "" : ` as a whole: ${cached.missing.join(", ")} is missing`
    }, and HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids asking the Hub. Unset it, or run \`sep models pull ${name}\` on a machine with a network.`,
  );
}
