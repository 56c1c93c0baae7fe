import { SepError, type SepErrorCode } from "../../errors.ts";
import { createCosineEquivalence } from "../../meaning/cosine-equivalence.ts";
import type { Equivalence } from "../../meaning/equivalence.ts";
import {
  createExactEquivalence,
  createHybridEquivalence,
  createMathEquivalence,
} from "../../meaning/hybrid-equivalence.ts";
import { createJudgeEquivalence } from "../../meaning/judge-equivalence.ts";
import { createNliEquivalence, type EntailmentRule } from "../../meaning/nli-equivalence.ts";
import type { Grader } from "../../text/open-answer.ts";
import { type EquivalenceName, MEANING } from "../settings/meaning.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";
import type { StepEvent } from "../step.ts";
import type { MeaningModels } from "./meaning-models.ts";

/** A relation and the model behind it, if it has one. */
interface OpenEquivalence extends AsyncDisposable {
  readonly equivalence: Equivalence;
  /** Whether its verdicts depend on the question's words, so that these have to be known. */
  readonly readsQuestions: boolean;
}

interface OpenEquivalenceOptions {
  readonly models: MeaningModels;
  /** For `hybrid`: whether any pair will be left for the model; without one left, it is not opened. */
  readonly leavesPairs: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens the relation with a name and the model that it needs. No other relation replaces it if the model
 * cannot be had: that would change every number.
 * @throws SepError `bad-option`, and those of the models, with the ways out
 */
export async function* openEquivalence(
  name: EquivalenceName,
  choice: MeaningChoice,
  { models, leavesPairs, signal }: OpenEquivalenceOptions,
): AsyncGenerator<StepEvent, OpenEquivalence> {
  checkMeaningChoice({ ...choice, equivalence: name });
  switch (name) {
    case "math":
      return withoutModel(createMathEquivalence());
    case "exact":
      return withoutModel(createExactEquivalence());
    case "cosine": {
      const opening = models.openEmbedder(choice.cosineModel, signal);
      const { embedder, defaultThreshold } = yield* nameWaysOut(opening, "cosine", "sentence embedding");
      const { cosineThreshold: threshold = defaultThreshold } = choice;
      return owning(embedder, createCosineEquivalence(embedder, { threshold }), false);
    }
    case "judge": {
      const opened = yield* models.openJudge(choice.judgeModel!, choice.judgeUrl, signal);
      const { judgePrompt: prompt, nliRule } = choice;
      const rule = nliRule as Exclude<EntailmentRule, "threshold"> | undefined;
      return owning(opened, createJudgeEquivalence(opened.judge, { prompt, rule }), true);
    }
    case "nli":
    case "hybrid": {
      if (name === "hybrid" && !leavesPairs) return withoutModel(createHybridEquivalence(null));
      const opening = models.openEntailer(choice, signal);
      const entailer = yield* nameWaysOut(opening, name, "inference");
      try {
        const nli = createNliEquivalence(entailer, { rule: choice.nliRule, threshold: choice.nliThreshold });
        return owning(entailer, name === "nli" ? nli : createHybridEquivalence(nli), true);
      } catch (error) {
        await entailer[Symbol.asyncDispose]();
        throw error;
      }
    }
  }
}

const withoutModel = (equivalence: Equivalence): OpenEquivalence => ({
  equivalence,
  readsQuestions: false,
  [Symbol.asyncDispose]: async () => undefined,
});

const owning = (
  model: AsyncDisposable,
  equivalence: Equivalence,
  readsQuestions: boolean,
): OpenEquivalence => ({
  equivalence,
  readsQuestions,
  [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
});

/** A model that cannot be had is an error that says how to go on without it. */
async function* nameWaysOut<Result>(
  opening: AsyncGenerator<StepEvent, Result>,
  name: EquivalenceName,
  kind: string,
): AsyncGenerator<StepEvent, Result> {
  try {
    return yield* opening;
  } catch (error) {
    if (!(error instanceof SepError) || !NOT_TO_BE_HAD.has(error.code)) throw error;
    throw new SepError(
      error.code,
      `The equivalence ${name} needs a model for sentence ${kind}: ${error.message} Or compare without a model: --equivalence exact (the same words) or math (equal as mathematics).`,
      { cause: error },
    );
  }
}

const NOT_TO_BE_HAD: ReadonlySet<SepErrorCode> = new Set([
  "model-not-found",
  "model-not-cached",
  "hub-unreachable",
  "hub-token-refused",
  "gated-model",
  "cache-not-writable",
  "disk-full",
  "download-damaged",
]);

/** How answers are clustered by meaning. */
export type MeaningChoice = SettingsInput<typeof MEANING>;

/**
 * The relation that `auto` stands for. Answers that were graded as mathematics are compared as mathematics, and those
 * that are none as text, so that the built-in question sets never need a model.
 */
export function resolveEquivalence(
  asked: EquivalenceName | "auto",
  rules: Iterable<Grader>,
): EquivalenceName {
  if (asked !== "auto") return asked;
  for (const rule of rules) if (rule !== "math") return "hybrid";
  return "math";
}

/** @throws SepError `bad-option` for words that are none of the choices, and choices that contradict each other */
export function checkMeaningChoice(choice: MeaningChoice): void {
  const { equivalence, nliDtype, nliRule, nliThreshold } = resolveSettings(MEANING, choice);
  if (choice.nliUrl !== undefined && (choice.nliModel !== undefined || nliDtype !== undefined))
    throw new SepError(
      "bad-option",
      "Got an NLI server together with an NLI model or dtype, but the server has its own. Leave out --nli-model and --nli-dtype, or --nli-url.",
    );
  if (nliThreshold !== undefined && nliRule !== "threshold")
    throw new SepError(
      "bad-option",
      `Got an NLI threshold with the NLI rule ${nliRule ?? "strict"}, which has no threshold. Use the rule threshold (--nli-rule threshold).`,
    );
  if (equivalence === "judge" && nliRule === "threshold")
    throw new SepError(
      "bad-option",
      "Got the NLI rule threshold for a judge, which gives labels without probabilities. Use strict or lenient.",
    );
  if (equivalence === "judge" && choice.judgeModel === undefined)
    throw new SepError(
      "bad-option",
      "Got the equivalence judge without a model. Name it with --judge-model, and its server, unless it runs here, with --judge-url.",
    );
}
