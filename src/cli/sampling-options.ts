import type { GenerationDefaults } from "../engine/generate/generation-defaults.ts";
import { PLAIN_PROMPT_FORMATS } from "../engine/tokenizer/prompt-format.ts";
import { SAMPLER_PRESETS, type SamplerPreset } from "../study/sampling/resolve-sampler.ts";
import { STUDY_DEFAULTS } from "../study/study-options.ts";
import { CORRECTNESS_RULES, type CorrectnessRule } from "../text/correctness-rule.ts";
import { choice, flag, type NumberRange, number, type OptionSpec, text, texts } from "./option-spec.ts";

/** No model of today takes more tokens. */
const LONGEST_CONTEXT = 10_000_000;

/** How answers are drawn. */
export const SAMPLING_OPTIONS: {
  readonly runs: OptionSpec<number>;
  readonly sampler: OptionSpec<SamplerPreset>;
  readonly temperature: OptionSpec<number | undefined>;
  readonly "top-p": OptionSpec<number | undefined>;
  readonly "top-k": OptionSpec<number | undefined>;
  readonly "min-p": OptionSpec<number | undefined>;
  readonly "repetition-penalty": OptionSpec<number | undefined>;
  readonly "max-new-tokens": OptionSpec<number | undefined>;
  readonly stop: OptionSpec<readonly string[]>;
  readonly "prompt-format": OptionSpec<string>;
  readonly shots: OptionSpec<string | undefined>;
  readonly "system-prompt": OptionSpec<string | undefined>;
  readonly "no-thinking": OptionSpec<boolean>;
  readonly correctness: OptionSpec<CorrectnessRule | "auto">;
  readonly adaptive: OptionSpec<boolean>;
  readonly "best-answer": OptionSpec<boolean>;
  readonly "best-temperature": OptionSpec<number>;
} = {
  runs: number({ integer: true, min: 1 }, STUDY_DEFAULTS.runs, "Answers a question."),
  sampler: choice(
    SAMPLER_PRESETS,
    "study",
    "Where the next five come from if not given: the values shown, or the model's generation_config.json.",
  ),
  temperature: preset({ min: 0 }, "temperature", "Sampling temperature; 0 is greedy."),
  "top-p": preset({ above: 0, max: 1 }, "topP", "Nucleus sampling; 1 is off."),
  "top-k": preset({ integer: true, min: 0 }, "topK", "Keep this many tokens; 0 keeps all."),
  "min-p": preset(
    { min: 0, below: 1 },
    "minP",
    "Keep tokens of this share of the likeliest one's probability; 0 keeps all.",
  ),
  "repetition-penalty": preset(
    { above: 0 },
    "repetitionPenalty",
    "Weakens tokens that were seen before; 1 is off.",
  ),
  "max-new-tokens": number(
    { integer: true, min: 1, max: LONGEST_CONTEXT },
    undefined,
    "Where generation is cut off; less than the model's context.",
    "2048; pocket: 160",
  ),
  stop: texts("TEXT", "Ends an answer where it appears."),
  "prompt-format": text(
    `${PLAIN_PROMPT_FORMATS.join("|")}|few-shot|FILE`,
    "auto",
    "auto: chat (the model's template) if there is one, else notebook; FILE: a template with {question}; docs/prompts.md.",
  ),
  shots: text(
    "NAME|PATH",
    undefined,
    "Questions whose first five are the examples of few-shot.",
    "the set's own first five, which are then not asked",
  ),
  "system-prompt": text("TEXT|@FILE", undefined, "System message of every prompt."),
  "no-thinking": flag("Ask the chat template for an answer without reasoning."),
  correctness: choice(
    ["auto", ...CORRECTNESS_RULES],
    "auto",
    "When an answer is right; auto: math if most reference answers are mathematical, else contains.",
  ),
  adaptive: flag(
    "Stop where further answers cannot change whether the entropy is above --se-threshold; docs/adaptive-k.md.",
  ),
  "best-answer": flag(
    "Also draw one careful answer a question, which probes are then trained and judged on; docs/best-answers.md.",
  ),
  "best-temperature": number(
    { min: 0 },
    STUDY_DEFAULTS.bestTemperature,
    "Of --best-answer: its sampling temperature; 0 is greedy.",
  ),
};

/** A setting whose value, when not given, is the sampler preset's. */
function preset(
  range: NumberRange,
  key: keyof GenerationDefaults,
  help: string,
): OptionSpec<number | undefined> {
  return number(range, undefined, help, String(STUDY_DEFAULTS[key]));
}
