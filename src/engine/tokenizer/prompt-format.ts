import { type Json, stableStringify } from "../../formats/json.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { type Shot, stopStringsOfShots } from "./few-shot.ts";
import type { PromptTemplate } from "./prompt-template.ts";
import type { TextTokenizer } from "./text-tokenizer.ts";

/** Prompt formats that need nothing but the question. */
export const PLAIN_PROMPT_FORMATS = ["auto", "chat", "notebook", "reasoning"] as const;

/**
 * How a question becomes a prompt.
 * - `chat`: the model's own chat template.
 * - `notebook`: `Question: …\nAnswer:`.
 * - `auto`: chat where the model has a template, notebook where not.
 * - `reasoning`: chat, and the question is followed by a request to think between the think tags and to put the
 *   answer into `\boxed{}`; for models that do not reason by themselves.
 * - `few-shot`: worked examples, then the question.
 * - `template`: a text with `{question}` in it.
 *
 * Plain data, since it goes to other threads.
 */
export type PromptFormat =
  | (typeof PLAIN_PROMPT_FORMATS)[number]
  | { readonly kind: "few-shot"; readonly shots: readonly Shot[] }
  | { readonly kind: "template"; readonly template: PromptTemplate };

/** `auto` decided for one model; other formats as they are. */
export function resolvePromptFormat(
  format: PromptFormat,
  { renderChat }: Pick<TextTokenizer, "renderChat">,
): Exclude<PromptFormat, "auto"> {
  if (format !== "auto") return format;
  return renderChat === null ? "notebook" : "chat";
}

/** What of a format decides the prompts; contents by their hash, so that no path counts. */
export function describePromptFormat(format: PromptFormat): Json {
  if (typeof format === "string") return format;
  if (format.kind === "template") return { kind: "template", sha256: fingerprint(format.template.text) };
  const shots = format.shots.map(({ question, answer }) => ({ question, answer }));
  return { kind: "few-shot", shots: shots.length, sha256: fingerprint(stableStringify(shots)) };
}

/** What ends an answer in this format, beside what the user asks for. */
export const stopStringsOf = (format: PromptFormat): readonly string[] =>
  typeof format === "object" && format.kind === "few-shot" ? stopStringsOfShots(format.shots) : [];
