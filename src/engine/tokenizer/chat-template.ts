import { Template } from "@huggingface/jinja";
import { SepError } from "../../errors.ts";

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface ChatOptions {
  /** End with the start of the assistant's turn. */
  readonly addGenerationPrompt: boolean;
  /** Passed on to templates that know it (Qwen3); undefined leaves the template's own default. */
  readonly enableThinking?: boolean | undefined;
}

export type RenderChat = (messages: readonly ChatMessage[], options: ChatOptions) => string;

/**
 * A model's chat template as a function, which gives the text that transformers' `apply_chat_template` gives. It
 * is read when it is first used, so that a model whose template cannot be read still answers other prompts. Both
 * reading and rendering throw SepError `bad-tokenizer`.
 * @param source a Jinja program
 * @param tokens texts of the special tokens that it may name, such as `bos_token`
 */
export function createChatRenderer(source: string, tokens: Readonly<Record<string, string>>): RenderChat {
  let template: Template | null = null;
  return (messages, { addGenerationPrompt, enableThinking }) => {
    try {
      template ??= readTemplate(source);
      return template.render({
        ...tokens,
        messages,
        add_generation_prompt: addGenerationPrompt,
        // defined and empty, as transformers has them: some templates only ask whether they are none
        tools: null,
        documents: null,
        [DATE_FUNCTION]: formatTemplateDate,
        ...(enableThinking === undefined ? {} : { enable_thinking: enableThinking }),
      });
    } catch (cause) {
      throw new SepError(
        "bad-tokenizer",
        `The model's chat template failed: ${(cause as Error).message}. Use --prompt-format notebook, which needs no template.`,
        { cause },
      );
    }
  };
}

/** Puts our date in the place of the library's own, which reads the clock and the locale. */
function readTemplate(source: string): Template {
  const template = new Template(source);
  template.parsed.body.unshift(...new Template(`{% set strftime_now = ${DATE_FUNCTION} %}`).parsed.body);
  return template;
}

const DATE_FUNCTION = "sep_template_date";

/**
 * Templates that write today's date get this one, the date that Llama 3.1's own template falls back to: with the
 * clock in the prompt, the same study would ask something else tomorrow.
 */
const TEMPLATE_DATE: Readonly<Record<string, string>> = {
  "%d": "26",
  "%b": "Jul",
  "%B": "July",
  "%m": "07",
  "%Y": "2024",
  "%y": "24",
  "%A": "Friday",
  "%a": "Fri",
  "%H": "00",
  "%M": "00",
  "%S": "00",
};

const formatTemplateDate = (format: string): string =>
  format.replace(/%[a-zA-Z]/g, (code) => TEMPLATE_DATE[code] ?? code);

/**
 * The template among what `tokenizer_config.json` has as `chat_template`: one alone, or several with names.
 * @returns null if there is none
 */
export function findChatTemplate(stored: unknown): string | null {
  if (typeof stored === "string") return stored;
  if (!Array.isArray(stored)) return null;
  const named = stored as readonly ({ readonly name?: unknown; readonly template?: unknown } | null)[];
  const chosen = named.find((each) => each?.name === "default") ?? named[0];
  return typeof chosen?.template === "string" ? chosen.template : null;
}
