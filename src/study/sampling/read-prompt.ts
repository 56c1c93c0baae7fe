import { SHOT_COUNT, takeShots } from "../../engine/tokenizer/few-shot.ts";
import { PLAIN_PROMPT_FORMATS } from "../../engine/tokenizer/prompt-format.ts";
import { createPromptTemplate } from "../../engine/tokenizer/prompt-template.ts";
import { SepError } from "../../errors.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import { readIfThere } from "../../store/read-if-there.ts";
import type { PROMPT } from "../settings/sampling.ts";
import type { SettingsOutput } from "../settings/setting.ts";
import type { StudyPromptFormat } from "./plan-generation.ts";

/** How questions are asked, with the files that the settings name read. */
export interface ReadPrompt {
  readonly promptFormat: StudyPromptFormat;
  readonly systemPrompt: string | undefined;
  /** undefined leaves it to the chat template. */
  readonly enableThinking: boolean | undefined;
}

/** @throws SepError `bad-option` for a file that is not there or not a template; `bad-question-file` for shots */
export const readPrompt = async (settings: SettingsOutput<typeof PROMPT>): Promise<ReadPrompt> => ({
  promptFormat: await readPromptFormat(settings.promptFormat, settings.shots),
  systemPrompt: await readSystemPrompt(settings.systemPrompt),
  enableThinking: settings.noThinking ? false : undefined,
});

/**
 * A prompt format by its name, or the template of a file.
 * @throws SepError `bad-option`, `bad-question-file`
 */
async function readPromptFormat(name: string, shots: string | undefined): Promise<StudyPromptFormat> {
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
async function readSystemPrompt(given: string | undefined): Promise<string | undefined> {
  if (given === undefined || !given.startsWith("@")) return given;
  const text = await readIfThere(given.slice(1));
  if (text !== null && text.trim() !== "") return text.replace(/\r?\n$/, "");
  throw new SepError(
    "bad-option",
    `Got --system-prompt ${given}, and ${text === null ? "there is no such file" : "that file is empty"}. Give a file with the prompt in it, or the prompt itself.`,
  );
}
