import type { ModelProfile } from "../checkpoint/load-model-profile.ts";
import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import type { PromptOptions } from "../engine/tokenizer/build-prompt.ts";
import {
  PLAIN_PROMPT_FORMATS,
  type PromptFormat,
  resolvePromptFormat,
  stopStringsOf,
} from "../engine/tokenizer/prompt-format.ts";
import { SepError } from "../errors.ts";
import { stableStringify } from "../formats/json.ts";
import type { GenerationConfig } from "../probes/probe.ts";
import { describePromptFormat } from "../samples/describe-prompt-format.ts";
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
  /** What the probe's guarantees depend on, as sentences. */
  readonly notes: readonly string[];
}

/**
 * Prompts as for the probe's training answers, since other prompts lead to other states.
 * @throws SepError `probe-mismatch` for a prompt that is not the recorded one, `bad-option` where the record has only
 *   its hash and it is not given
 */
export function resolveGeneration(
  model: ModelProfile,
  record: GenerationConfig | null,
  choice: GenerationChoice,
): ResolvedGeneration {
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

function matchFormat(
  model: ModelProfile,
  { prompt_format }: GenerationConfig,
  choice: GenerationChoice,
): PromptFormat {
  const recorded = PLAIN_PROMPT_FORMATS.find((name) => name === prompt_format);
  const given = choice.promptFormat;
  if (choice.systemPrompt !== undefined || choice.enableThinking !== undefined) {
    throw new SepError(
      "bad-option",
      "Got a system prompt or a thinking switch, but the probe records its own. Leave them out.",
    );
  }
  if (given === undefined) {
    if (recorded !== undefined) return recorded;
    throw new SepError(
      "bad-option",
      `The probe was fitted on prompts of which it records only a hash: ${stableStringify(prompt_format)}. Give the same shots with --prompt-format few-shot --shots FILE, or the same template with --prompt-format FILE.`,
    );
  }
  const described = stableStringify(describePromptFormat(resolvePromptFormat(given, model.tokenizer)));
  if (described === stableStringify(prompt_format)) return given;
  throw new SepError(
    "probe-mismatch",
    `Probe was fitted on prompts of ${stableStringify(prompt_format)}, got ${described}. Leave out the prompt format, or refit with \`sep train\`.`,
  );
}
