import { SepError } from "../../src/errors.ts";
import type { TextEmbedder } from "../../src/meaning/cosine-equivalence.ts";
import type { Entailer } from "../../src/meaning/entailer.ts";
import type { JudgeModel } from "../../src/meaning/judge-model.ts";
import type { MeaningModels } from "../../src/study/meaning/meaning-models.ts";

/** Fake models of meaning, with what was opened and closed. */
export interface FakeMeaningModels extends MeaningModels {
  readonly log: readonly string[];
}

/** Those that are given; the others are a model that cannot be had. */
export function createFakeMeaningModels({
  entailer,
  embedder,
  judge,
}: {
  readonly entailer?: Entailer;
  readonly embedder?: TextEmbedder;
  readonly judge?: JudgeModel;
} = {}): FakeMeaningModels {
  const log: string[] = [];
  async function* open<T>(kind: string, reference: string | undefined, model: T | undefined) {
    yield { kind: "note", step: "download", part: kind, message: `opening ${reference}` } as const;
    if (model === undefined)
      throw new SepError("model-not-cached", `${reference ?? "the default"} is not in the cache.`);
    log.push(`open ${kind} ${reference ?? "default"}`);
    const close = async (): Promise<void> => void log.push(`close ${kind}`);
    return { model, close };
  }
  return {
    log,
    async *openEntailer({ nliModel, nliDtype }) {
      const kind = nliDtype === undefined ? "entailer" : `${nliDtype} entailer`;
      const { model, close } = yield* open(kind, nliModel, entailer);
      return { ...model, [Symbol.asyncDispose]: close };
    },
    async *openEmbedder(reference) {
      const { model, close } = yield* open("embedder", reference, embedder);
      return { embedder: { ...model, [Symbol.asyncDispose]: close }, defaultThreshold: 0.75 };
    },
    async *openJudge(reference, url) {
      const { model, close } = yield* open(url === undefined ? "judge" : `judge at ${url}`, reference, judge);
      return { judge: model, [Symbol.asyncDispose]: close };
    },
  };
}
