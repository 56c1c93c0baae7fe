import { SepError } from "../../errors.ts";
import { findThinkTags, type ThinkTags } from "../generate/split-reasoning.ts";
import type { ChatMessage } from "./chat-template.ts";
import {
  fillTemplate,
  type PromptFormat,
  renderContext,
  renderFewShot,
  resolvePromptFormat,
} from "./prompt-format.ts";
import type { TextTokenizer } from "./text-tokenizer.ts";

export interface PromptOptions {
  readonly format?: PromptFormat;
  /** Becomes the first message of a conversation that has no system message. */
  readonly systemPrompt?: string | undefined;
  /** A text that the question is about; stands before it. */
  readonly context?: string | undefined;
  /** For chat templates that can switch reasoning off; undefined leaves the template's default. */
  readonly enableThinking?: boolean | undefined;
}

export interface Prompt {
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** The template itself opened the reasoning, so that the answer starts inside it. */
  readonly opensReasoning: boolean;
  /**
   * Lengths of the beginnings that other prompts share, ascending: up to the user's first turn (system prompt, examples),
   * to the next one, and so on to the question.
   */
  readonly sharedTokens?: readonly number[];
  /** What the chat template rendered, for servers that render it themselves; not of other formats. */
  readonly chat?: ChatTurns;
}

export interface ChatTurns {
  readonly messages: readonly ChatMessage[];
  /** undefined leaves the template's default. */
  readonly enableThinking: boolean | undefined;
}

/**
 * The prompt that asks a question, or for the next answer in a conversation.
 * @param asked a question, or messages: a system message perhaps, then turns of user and assistant, the user's last
 * @throws SepError `bad-option` when a chat format is asked for and the model has none, when its template has no place
 *   for the system message, or when the messages are not a conversation or the format takes none; `bad-tokenizer` when the
 *   template fails
 */
export function buildPrompt(
  tokenizer: TextTokenizer,
  asked: string | readonly ChatMessage[],
  { format: choice = "auto", systemPrompt, context, enableThinking }: PromptOptions = {},
): Prompt {
  const format = resolvePromptFormat(choice, tokenizer);
  const tags = findThinkTags(tokenizer);
  const conversation = readConversation(asked, systemPrompt);
  const head = renderContext(context);
  const bare = (text: string, opensReasoning: boolean): Prompt =>
    barePrompt(tokenizer, {
      text,
      asked: [...(head === "" ? [] : [head]), ...askedOf(conversation)],
      opensReasoning,
    });
  if (format === "chat" || format === "reasoning") {
    const about = head === "" ? "" : `${head}\n`;
    const request = format === "chat" ? "" : `\n\n${requestReasoning(tags)}`;
    const question = `${about}${conversation.question}${request}`;
    return chatPrompt(tokenizer, tags, { ...conversation, question }, enableThinking);
  }
  const { system, turns, question } = conversation;
  if (format === "notebook") {
    const first = system === undefined ? "" : `${system}\n\n`;
    const earlier = turns.map(({ role, content }) =>
      role === "user" ? `Question: ${content}\n` : `Answer: ${content}\n\n`,
    );
    return bare(`${first}${earlier.join("")}${head}Question: ${question}\nAnswer:`, false);
  }
  if (turns.length > 0) {
    throw new SepError(
      "bad-option",
      `Got a conversation of ${turns.length + 1} turns, but the prompt format ${format.kind} takes a single question. Use chat or notebook.`,
    );
  }
  const asks = { question, ...(context === undefined ? {} : { context }) };
  if (format.kind === "few-shot") return bare(renderFewShot(format.shots, asks, system), false);
  const { text, tail } = fillTemplate(format.template, asks, system);
  return bare(text, opens(tail, tags));
}

/**
 * A prompt that the caller has written whole, with whatever its model expects around a question.
 * @param asked text, or token ids as they are
 */
export function takePrompt(tokenizer: TextTokenizer, asked: string | readonly number[]): Prompt {
  const tags = findThinkTags(tokenizer);
  if (typeof asked === "string")
    return barePrompt(tokenizer, { text: asked, asked: [], opensReasoning: opens(asked, tags) });
  const text = tokenizer.decode(asked);
  return { text, tokenIds: asked, opensReasoning: opens(text, tags) };
}

interface Conversation {
  readonly system: string | undefined;
  /** Before the question: user, assistant, user, … */
  readonly turns: readonly ChatMessage[];
  /** What the user says last. */
  readonly question: string;
}

function readConversation(
  asked: string | readonly ChatMessage[],
  systemPrompt: string | undefined,
): Conversation {
  if (typeof asked === "string") return { system: systemPrompt, turns: [], question: asked };
  const [first] = asked;
  const own = first?.role === "system" ? first.content : undefined;
  const turns = own === undefined ? asked : asked.slice(1);
  const wrong = turns.findIndex(({ role }, index) => role !== (index % 2 === 0 ? "user" : "assistant"));
  if (wrong === -1 && turns.length % 2 === 1)
    return {
      system: own ?? systemPrompt,
      turns: turns.slice(0, -1),
      question: (turns.at(-1) as ChatMessage).content,
    };
  throw new SepError(
    "bad-option",
    `Got messages of the roles ${asked.map(({ role }) => role).join(", ") || "none"}, expected an optional system message, then user and assistant in turn, with the user last.`,
  );
}

const messagesOf = ({ system, turns, question }: Conversation): readonly ChatMessage[] => [
  ...(system === undefined ? [] : [{ role: "system", content: system } as const]),
  ...turns,
  { role: "user", content: question },
];

/** In the user's turn, since not every chat template has a system message. */
const requestReasoning = ({ open, close }: ThinkTags): string =>
  `First reason step by step between ${open} and ${close}. Then give only the final answer, as short as possible, in \\boxed{}.`;

function barePrompt(
  tokenizer: TextTokenizer,
  {
    text,
    asked,
    opensReasoning,
  }: Pick<Prompt, "text" | "opensReasoning"> & { readonly asked: readonly string[] },
): Prompt {
  const plain = tokenizer.encode(text, { specialTokens: false });
  const whole = tokenizer.encode(text, { specialTokens: true });
  // a template may itself begin with the token that would be put in front
  const doubled = whole.length > plain.length && whole[0] === plain[0] && whole[1] === plain[0];
  const tokenIds = doubled ? plain : whole;
  const shared = { text, asked, tokenIds, specialTokens: !doubled };
  return { text, tokenIds, sharedTokens: countShared(tokenizer, shared), opensReasoning };
}

/** Shorter texts are not worth their tokenisation. */
const LEAST_SHARED_CHARACTERS = 64;

/** What the user said, turn by turn. */
const askedOf = ({ turns, question }: Conversation): readonly string[] => [
  ...turns.flatMap(({ role, content }) => (role === "user" ? [content] : [])),
  question,
];

/** Counts the tokens of what stands before each of the user's turns, as far as the prompt begins with them. */
function countShared(
  tokenizer: TextTokenizer,
  {
    text,
    asked,
    tokenIds,
    specialTokens,
  }: Pick<Prompt, "text" | "tokenIds"> & {
    readonly asked: readonly string[];
    readonly specialTokens: boolean;
  },
): readonly number[] {
  const counts: number[] = [];
  let at = 0;
  for (const turn of asked) {
    at = text.indexOf(turn, at);
    if (at < 0) break;
    if (at >= LEAST_SHARED_CHARACTERS) {
      const shared = tokenizer.encode(text.slice(0, at), { specialTokens });
      const other = shared.findIndex((id, index) => id !== tokenIds[index]);
      const count = other === -1 ? shared.length : other;
      if (count > (counts.at(-1) ?? 0)) counts.push(count);
    }
    at += turn.length;
  }
  return counts;
}

function chatPrompt(
  tokenizer: TextTokenizer,
  tags: ThinkTags,
  conversation: Conversation,
  enableThinking: boolean | undefined,
): Prompt {
  const render = createRenderer(tokenizer, conversation, enableThinking);
  const text = render(true);
  const turns = render(false);
  // only what the template adds for the assistant counts: a question may itself mention the tags
  const added = text.startsWith(turns) ? text.slice(turns.length) : "";
  const tokenIds = tokenizer.encode(text, { specialTokens: false }); // the template has them already
  const asked = askedOf(conversation);
  return {
    text,
    tokenIds,
    sharedTokens: countShared(tokenizer, { text, asked, tokenIds, specialTokens: false }),
    opensReasoning: opens(added, tags),
    chat: { messages: messagesOf(conversation), enableThinking },
  };
}

/** A function of whether the assistant's turn is begun; it never loses a system message in silence. */
function createRenderer(
  { renderChat }: TextTokenizer,
  conversation: Conversation,
  enableThinking: boolean | undefined,
): (addGenerationPrompt: boolean) => string {
  if (renderChat === null) {
    throw new SepError(
      "bad-option",
      "Got a chat prompt format, but this model has no chat template. Use --prompt-format notebook or few-shot.",
    );
  }
  const { system } = conversation;
  const messages = messagesOf(conversation);
  if (system === undefined)
    return (addGenerationPrompt) => renderChat(messages, { addGenerationPrompt, enableThinking });
  return (addGenerationPrompt) => {
    const options = { addGenerationPrompt, enableThinking };
    let text: string | null = null;
    let cause: unknown;
    try {
      text = renderChat(messages, options);
    } catch (error) {
      cause = error;
      renderChat(messages.slice(1), options); // where this fails too, the system message is not the reason
    }
    if (text?.includes(system.trim())) return text;
    const reason = cause instanceof Error ? cause.message : "the template drops it";
    throw new SepError(
      "bad-option",
      `Got a system prompt, but this model's chat template takes none (${reason}). Leave out --system-prompt, or write the whole prompt with --prompt-format FILE.`,
      { cause },
    );
  };
}

/** Whether the text leaves the reasoning open. */
const opens = (text: string, { open, close }: ThinkTags): boolean =>
  text.lastIndexOf(open) > text.lastIndexOf(close);
