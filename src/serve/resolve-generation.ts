import type { ModelProfile } from "../checkpoint/load-model-profile.ts";
import { observerEnds } from "../engine/generate/observe-answer.ts";
import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import { type Observation, observationOf } from "../engine/observation.ts";
import type { PromptOptions } from "../engine/tokenizer/build-prompt.ts";
import { type PromptFormat, stopStringsOf } from "../engine/tokenizer/prompt-format.ts";
import { SepError } from "../errors.ts";
import type { GenerationConfig, Probe } from "../probes/probe.ts";
import { matchPromptFormat } from "../samples/describe-prompt-format.ts";
import { recordedObserver } from "../samples/observe-runs.ts";
import { requireRoom, resolveSampler } from "../study/sampling/resolve-sampler.ts";

/** What may be chosen when a question is scored. */
export interface GenerationChoice {
  /** Needed only if the probe records just a hash of it: few-shot prompts and templates. */
  readonly promptFormat?: PromptFormat | undefined;
  /** Only for probes without a recorded prompt; others use the recorded one. */
  readonly systemPrompt?: string | undefined;
  readonly enableThinking?: boolean | undefined;
  /** `greedy`: the likeliest token each time; `study`: with the sampler of the answers that the probe was calibrated on. */
  readonly sampling?: "greedy" | "study";
  readonly maxNewTokens?: number | undefined;
}

/** The prompt options and the sampler that questions are asked with. */
export interface ResolvedGeneration {
  readonly prompting: PromptOptions;
  readonly sampler: SamplerSettings;
  /** How answers are read by an observer, which generates none; null for a model that answers. */
  readonly reading: { readonly ending: readonly number[] } | null;
  /** What the probe's guarantees depend on, as sentences. */
  readonly notes: readonly string[];
}

/**
 * Prompts as for the probe's training answers, since other prompts lead to other states.
 * @param probe an observer's probe has its prompt in `source`, and nothing is generated for it but, for a question without an
 *   answer, one token that nobody sees
 * @throws SepError `probe-mismatch` for a prompt that is not the recorded one, `bad-option` where the record has only
 *   its hash and it is not given
 */
export function resolveGeneration(
  model: ModelProfile,
  { asking: record, source }: Pick<Probe, "asking" | "source">,
  choice: GenerationChoice,
): ResolvedGeneration {
  const observed = observationOf(source);
  if (observed !== null) return resolveReading(model, observed, choice);
  const { sampling = "greedy", maxNewTokens } = choice;
  requireRoom(model, maxNewTokens);
  const format = record === null ? (choice.promptFormat ?? "auto") : matchFormat(model, record, choice);
  const drawn = record?.sampler ?? resolveSampler(model).settings;
  return {
    prompting: {
      format,
      systemPrompt: record === null ? choice.systemPrompt : (record.system_prompt ?? undefined),
      enableThinking: record === null ? choice.enableThinking : (record.enable_thinking ?? undefined),
    },
    sampler: {
      ...drawn,
      ...(sampling === "greedy" ? { temperature: 0 } : {}),
      maxNewTokens: maxNewTokens ?? drawn.maxNewTokens,
      stopStrings: [...new Set([...drawn.stopStrings, ...stopStringsOf(format)])],
    },
    reading: null,
    notes: [
      ...(record === null
        ? [
            "The probe does not record how its model was prompted, so the prompt may differ from those that it was fitted on.",
          ]
        : []),
      ...(sampling === "greedy" && drawn.temperature > 0
        ? [
            `The guarantee covers answers sampled at temperature ${drawn.temperature}, like those that the probe was calibrated on; this answer is greedy.`,
          ]
        : []),
    ],
  };
}

function resolveReading(
  model: ModelProfile,
  { prompt, writer }: Observation,
  choice: GenerationChoice,
): ResolvedGeneration {
  refuseOwnPrompt(choice);
  const { prompting } = recordedObserver(model, prompt, choice.promptFormat);
  const { sampler, ending } = observerEnds(model, prompting.format);
  return {
    prompting,
    sampler: { ...resolveSampler(model).settings, ...sampler, temperature: 0, maxNewTokens: 1 },
    reading: { ending },
    notes: [
      `The probe is an observer's: the guarantee covers answers that ${writer} wrote, sampled as when the probe was calibrated.`,
    ],
  };
}

function matchFormat(
  model: ModelProfile,
  { prompt_format }: GenerationConfig,
  choice: GenerationChoice,
): PromptFormat {
  refuseOwnPrompt(choice);
  return matchPromptFormat(
    model.tokenizer,
    prompt_format,
    choice.promptFormat,
    "Probe was fitted on prompts",
  );
}

function refuseOwnPrompt({
  systemPrompt,
  enableThinking,
}: Pick<GenerationChoice, "systemPrompt" | "enableThinking">): void {
  if (systemPrompt === undefined && enableThinking === undefined) return;
  throw new SepError(
    "bad-option",
    "Got a system prompt or a thinking switch, but the probe records its own. Leave them out.",
  );
}
