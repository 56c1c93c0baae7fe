import { SepError } from "../../errors.ts";
import { findThinkTags, type ThinkTags } from "../generate/split-reasoning.ts";
import type { ChatMessage } from "./chat-template.ts";
import { renderFewShot } from "./few-shot.ts";
import { type PromptFormat, resolvePromptFormat } from "./prompt-format.ts";
import { fillTemplate } from "./prompt-template.ts";
import type { TextTokenizer } from "./text-tokenizer.ts";

export interface PromptOptions {
  readonly format?: PromptFormat;
  readonly systemPrompt?: string | undefined;
  /** For chat templates that can switch reasoning off; undefined leaves the template's default. */
  readonly enableThinking?: boolean | undefined;
}

export interface Prompt {
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** The template itself opened the reasoning, so that the answer starts inside it. */
  readonly opensReasoning: boolean;
  /** What the chat template rendered, for servers that render it themselves; not of other formats. */
  readonly chat?: ChatTurns;
}

export interface ChatTurns {
  readonly messages: readonly ChatMessage[];
  /** undefined leaves the template's default. */
  readonly enableThinking: boolean | undefined;
}

/**
 * The prompt that asks a question.
 * @throws SepError `bad-option` when a chat format is asked for and the model has none, or when its template has no
 *   place for the system prompt; `bad-tokenizer` when its template fails
 */
export function buildPrompt(
  tokenizer: TextTokenizer,
  question: string,
  { format: asked = "auto", systemPrompt, enableThinking }: PromptOptions = {},
): Prompt {
  const format = resolvePromptFormat(asked, tokenizer);
  const tags = findThinkTags(tokenizer);
  if (format === "chat") return chatPrompt(tokenizer, tags, question, systemPrompt, enableThinking);
  if (format === "reasoning") {
    const request = `${question}\n\n${requestReasoning(tags)}`;
    return chatPrompt(tokenizer, tags, request, systemPrompt, enableThinking);
  }
  if (format === "notebook") {
    const head = systemPrompt === undefined ? "" : `${systemPrompt}\n\n`;
    return barePrompt(tokenizer, `${head}Question: ${question}\nAnswer:`, false);
  }
  if (format.kind === "few-shot")
    return barePrompt(tokenizer, renderFewShot(format.shots, question, systemPrompt), false);
  const { text, tail } = fillTemplate(format.template, question, systemPrompt);
  return barePrompt(tokenizer, text, opens(tail, tags));
}

/** In the user's turn, since not every chat template has a system message. */
const requestReasoning = ({ open, close }: ThinkTags): string =>
  `First reason step by step between ${open} and ${close}. Then give only the final answer, as short as possible, in \\boxed{}.`;

function barePrompt(tokenizer: TextTokenizer, text: string, opensReasoning: boolean): Prompt {
  const plain = tokenizer.encode(text, { specialTokens: false });
  const whole = tokenizer.encode(text, { specialTokens: true });
  // a template may itself begin with the token that would be put in front
  const doubled = whole.length > plain.length && whole[0] === plain[0] && whole[1] === plain[0];
  return { text, tokenIds: doubled ? plain : whole, opensReasoning };
}

function chatPrompt(
  tokenizer: TextTokenizer,
  tags: ThinkTags,
  question: string,
  systemPrompt: string | undefined,
  enableThinking: boolean | undefined,
): Prompt {
  const render = renderWith(tokenizer, question, systemPrompt, enableThinking);
  const text = render(true);
  const turns = render(false);
  // only what the template adds for the assistant counts: a question may itself mention the tags
  const added = text.startsWith(turns) ? text.slice(turns.length) : "";
  return {
    text,
    tokenIds: tokenizer.encode(text, { specialTokens: false }), // the template has them already
    opensReasoning: opens(added, tags),
    chat: { messages: chatMessages(question, systemPrompt), enableThinking },
  };
}

const chatMessages = (question: string, systemPrompt: string | undefined): readonly ChatMessage[] => [
  ...(systemPrompt === undefined ? [] : [{ role: "system", content: systemPrompt } as const]),
  { role: "user", content: question },
];

/** A function of whether the assistant's turn is begun; it never loses a message in silence. */
function renderWith(
  { renderChat }: TextTokenizer,
  question: string,
  systemPrompt: string | undefined,
  enableThinking: boolean | undefined,
): (addGenerationPrompt: boolean) => string {
  if (renderChat === null) {
    throw new SepError(
      "bad-option",
      "Got a chat prompt format, and this model has no chat template. Use --prompt-format notebook or few-shot.",
    );
  }
  const messages = chatMessages(question, systemPrompt);
  if (systemPrompt === undefined)
    return (addGenerationPrompt) => renderChat(messages, { addGenerationPrompt, enableThinking });
  return (addGenerationPrompt) => {
    const options = { addGenerationPrompt, enableThinking };
    let text: string | null = null;
    let cause: unknown;
    try {
      text = renderChat(messages, options);
    } catch (error) {
      cause = error;
      renderChat(messages.slice(-1), options); // where this fails too, the system message is not the reason
    }
    if (text?.includes(systemPrompt.trim())) return text;
    const reason = cause instanceof Error ? cause.message : "the template drops it";
    throw new SepError(
      "bad-option",
      `Got a system prompt, and this model's chat template takes none (${reason}). Leave out --system-prompt, or write the whole prompt with --prompt-format FILE.`,
      { cause },
    );
  };
}

/** Whether the text leaves the reasoning open. */
const opens = (text: string, { open, close }: ThinkTags): boolean =>
  text.lastIndexOf(open) > text.lastIndexOf(close);
