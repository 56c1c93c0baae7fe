import { openModel } from "../../backends/local/open-model.ts";
import { createServerJudge } from "../../backends/openai/server-judge.ts";
import { type HubOptions, sleepFor } from "../../checkpoint/hub/hub.ts";
import { createCachedJudge } from "../../meaning/cached-judge.ts";
import type { TextEmbedder } from "../../meaning/embedder.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import { createLocalJudge } from "../../meaning/local-judge.ts";
import type { StepEvent } from "../step.ts";
import type { EntailerChoice } from "./meaning-choice.ts";
import { openEmbedder, openEntailer } from "./open-encoders.ts";

/** Opens the models that meaning may need, each at its first use; downloads have events of their own. */
export interface MeaningModels {
  openEntailer(choice: EntailerChoice, signal?: AbortSignal): AsyncGenerator<StepEvent, Entailer>;
  /** @param reference the default model when not given */
  openEmbedder(reference: string | undefined, signal?: AbortSignal): AsyncGenerator<StepEvent, OpenEmbedder>;
  /** @param url of a server; the local engine when not given */
  openJudge(
    reference: string,
    url: string | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<StepEvent, OpenJudge>;
}

export interface OpenEmbedder {
  readonly embedder: TextEmbedder;
  /** The cosine from which two answers of this model are the same, where the user gives none. */
  readonly defaultThreshold: number;
}

export interface OpenJudge extends AsyncDisposable {
  readonly judge: JudgeModel;
}

export interface MeaningModelsOptions {
  /** Where and how to look for models of the hub; its `env` also has OPENAI_API_KEY for a judge behind a server. */
  readonly hub?: HubOptions | undefined;
  readonly threads?: number | undefined;
}

/** The real ones: of the Hugging Face hub, a directory, or a server. */
export function createMeaningModels({ hub, threads }: MeaningModelsOptions = {}): MeaningModels {
  return {
    openEntailer: (choice, signal) => openEntailer(choice, { hub, threads, signal }),
    openEmbedder: (reference, signal) => openEmbedder(reference, { hub, threads, signal }),
    async *openJudge(reference, url, signal) {
      if (url === undefined) {
        const model = yield* openModel(reference, { hub, threads, signal });
        return {
          judge: await createCachedJudge(createLocalJudge(model)),
          [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
        };
      }
      const { env = process.env, fetch: send = fetch, sleep = sleepFor } = hub ?? {};
      const apiKey = env.OPENAI_API_KEY || undefined;
      const judge = createServerJudge({ url, model: reference, apiKey, fetch: send, sleep });
      return { judge: await createCachedJudge(judge), [Symbol.asyncDispose]: async () => undefined };
    },
  };
}
