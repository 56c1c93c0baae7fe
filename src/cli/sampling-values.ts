import { SHOT_COUNT, takeShots } from "../engine/tokenizer/few-shot.ts";
import { PLAIN_PROMPT_FORMATS } from "../engine/tokenizer/prompt-format.ts";
import { createPromptTemplate } from "../engine/tokenizer/prompt-template.ts";
import { SepError } from "../errors.ts";
import { loadQuestions } from "../samples/load-questions.ts";
import { readIfThere } from "../store/read-if-there.ts";
import type { StudyPromptFormat } from "../study/sampling/plan-generation.ts";
import type { SamplerChoice, SamplerPreset } from "../study/sampling/resolve-sampler.ts";
import type { CorrectnessRule } from "../text/correctness-rule.ts";
import type { OptionValues } from "./option-spec.ts";
import type { SAMPLING_OPTIONS } from "./sampling-options.ts";

type SamplingValues = OptionValues<typeof SAMPLING_OPTIONS>;

/** What the sampling options ask for, with the files that they name read. */
export interface SamplingChoices {
  readonly runs: number;
  readonly sampler: SamplerChoice;
  readonly samplerPreset: SamplerPreset;
  readonly promptFormat: StudyPromptFormat;
  readonly systemPrompt: string | undefined;
  readonly enableThinking: boolean | undefined;
  readonly correctness: CorrectnessRule | "auto";
  /** Of the best answer; undefined for none. */
  readonly bestTemperature: number | undefined;
}

/** @throws SepError `bad-option` for a file that is not there or not a template; `bad-question-file` for shots */
export async function readSamplingChoices(values: SamplingValues): Promise<SamplingChoices> {
  return {
    runs: values.runs,
    sampler: {
      temperature: values.temperature,
      topP: values["top-p"],
      topK: values["top-k"],
      minP: values["min-p"],
      repetitionPenalty: values["repetition-penalty"],
      maxNewTokens: values["max-new-tokens"],
      stopStrings: values.stop,
    },
    samplerPreset: values.sampler,
    promptFormat: await readPromptFormat(values["prompt-format"], values.shots),
    systemPrompt: await readSystemPrompt(values["system-prompt"]),
    enableThinking: values["no-thinking"] ? false : undefined,
    correctness: values.correctness,
    bestTemperature: values["best-answer"] ? values["best-temperature"] : undefined,
  };
}

/**
 * A prompt format by its name, or the template of a file.
 * @throws SepError `bad-option`, `bad-question-file`
 */
export async function readPromptFormat(name: string, shots: string | undefined): Promise<StudyPromptFormat> {
  if (name === "few-shot") {
    if (shots === undefined) return name;
    const { questions } = await loadQuestions(shots, { limit: SHOT_COUNT });
    return { kind: "few-shot", shots: takeShots(questions) };
  }
  if (shots !== undefined) {
    throw new SepError(
      "bad-option",
      `Got --shots with --prompt-format ${name}, expected --prompt-format few-shot.`,
    );
  }
  const plain = PLAIN_PROMPT_FORMATS.find((format) => format === name);
  if (plain !== undefined) return plain;
  const text = await readIfThere(name);
  if (text === null) {
    throw new SepError(
      "bad-option",
      `Got --prompt-format ${name}, expected ${PLAIN_PROMPT_FORMATS.join(", ")}, few-shot, or the file of a prompt template; there is no such file.`,
    );
  }
  return { kind: "template", template: createPromptTemplate(name, text) };
}

/** The text itself, or the content of `@FILE` without the line break at its end. */
export async function readSystemPrompt(given: string | undefined): Promise<string | undefined> {
  if (given === undefined || !given.startsWith("@")) return given;
  const path = given.slice(1);
  const text = await readIfThere(path);
  if (text !== null && text.trim() !== "") return text.replace(/\r?\n$/, "");
  throw new SepError(
    "bad-option",
    `Got --system-prompt ${given}, and ${text === null ? "there is no such file" : "that file is empty"}. Give a file with the prompt in it, or the prompt itself.`,
  );
}
