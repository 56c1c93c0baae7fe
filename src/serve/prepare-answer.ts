import type { LiveModel } from "../backends/live-model.ts";
import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import { buildPrompt, type Prompt, takePrompt } from "../engine/tokenizer/build-prompt.ts";
import type { ChatMessage } from "../engine/tokenizer/chat-template.ts";
import type { Probe } from "../probes/probe.ts";
import { ApiError } from "./api-error.ts";
import { type AnswerRequest, isConversation } from "./openai-bodies.ts";
import { requireGenerator, type ServedProbe } from "./served-probe.ts";

/** The prompt and the sampler of a request, and what they change of the probe's promise. */
export interface PreparedAnswer {
  readonly request: AnswerRequest;
  readonly served: ServedProbe;
  readonly prompt: Prompt;
  readonly sampler: SamplerSettings;
  readonly warnings: readonly string[];
}

/**
 * Resolves what a request leaves open, as the probe records it.
 * @throws ApiError, also for an observer's probe; SepError `prompt-too-long`, and as `buildPrompt`
 */
export function prepareAnswer(
  { live, maxTokens }: { readonly live: LiveModel; readonly maxTokens: number },
  request: AnswerRequest,
  served: ServedProbe,
): PreparedAnswer {
  const { generation } = served;
  requireGenerator(served);
  const { asked } = request;
  const { tokenizer, config } = live.model;
  if (typeof asked === "string") requireReadable(asked.length, config);
  else if (isConversation(asked)) requireReadable(lengthOf(asked), config);
  const prompt = isConversation(asked)
    ? buildPrompt(tokenizer, asked, generation.prompting)
    : takePrompt(tokenizer, asked);
  requireTokens(prompt.tokenIds, config);
  const { maxNewTokens } = request.sampler;
  if (maxNewTokens !== undefined && maxNewTokens > maxTokens)
    throw new ApiError(
      400,
      `max_tokens is ${maxNewTokens}, and this server generates at most ${maxTokens}.`,
      {
        param: "max_tokens",
      },
    );
  const recorded = generation.sampler;
  const sampler: SamplerSettings = {
    ...recorded,
    ...request.sampler,
    maxNewTokens: Math.min(maxNewTokens ?? recorded.maxNewTokens, maxTokens),
    stopStrings: [
      ...new Set([...(isConversation(asked) ? recorded.stopStrings : []), ...request.stopStrings]),
    ],
  };
  return {
    request,
    served,
    prompt,
    sampler,
    warnings: [
      ...generation.notes,
      ...describeDifferences(served.probe, sampler, isConversation(asked) ? asked : null),
    ],
  };
}

/** No tokenizer in use has longer tokens; they are runs of spaces. */
const MOST_CHARACTERS_PER_TOKEN = 256;

/**
 * Refuses a text that cannot fit before it is tokenised: megabytes without a space keep a tokenizer busy for seconds, and
 * the server with it.
 * @throws ApiError
 */
export function requireReadable(
  characters: number,
  { maxPositions }: Pick<LiveModel["model"]["config"], "maxPositions">,
  param = "messages",
): void {
  if (characters <= maxPositions * MOST_CHARACTERS_PER_TOKEN) return;
  throw new ApiError(
    400,
    `The prompt has ${characters} characters, but the model takes ${maxPositions} tokens, answer included.`,
    { param, code: "context_length_exceeded" },
  );
}

/** Characters of a conversation. */
export const lengthOf = (messages: readonly ChatMessage[]): number =>
  messages.reduce((sum, { content }) => sum + content.length, 0);

function requireTokens(
  tokenIds: readonly number[],
  { vocabularySize, maxPositions }: LiveModel["model"]["config"],
): void {
  if (tokenIds.length === 0) throw new ApiError(400, "The prompt has no tokens.", { param: "prompt" });
  const wrong = tokenIds.find((id) => id >= vocabularySize);
  if (wrong !== undefined)
    throw new ApiError(400, `The prompt has token ${wrong}, and this model has ${vocabularySize}.`, {
      param: "prompt",
    });
  if (tokenIds.length >= maxPositions)
    throw new ApiError(
      400,
      `The prompt has ${tokenIds.length} tokens, but the model takes ${maxPositions}, answer included.`,
      { param: "messages", code: "context_length_exceeded" },
    );
}

/** How the prompt or the sampler differs from those that the probe was calibrated on. */
function describeDifferences(
  { asking }: Probe,
  sampler: SamplerSettings,
  messages: readonly ChatMessage[] | null,
): string[] {
  if (asking === null) return [];
  const differences: string[] = [];
  if (messages === null) differences.push("the prompt was given whole");
  else {
    const system = messages[0]?.role === "system" ? messages[0].content : null;
    if (system !== null && system !== asking.system_prompt)
      differences.push("the system message is another one");
    if (messages.filter(({ role }) => role === "user").length > 1)
      differences.push("the conversation has several turns");
  }
  const names = ["temperature", "topP", "topK", "minP", "repetitionPenalty"] as const;
  const changed = names.filter((name) => sampler[name] !== asking.sampler[name]);
  if (changed.length > 0)
    differences.push(
      `${changed.map((name) => `${name} is ${sampler[name]} instead of ${asking.sampler[name]}`).join(", ")}`,
    );
  if (differences.length === 0) return [];
  return [`The guarantee may not hold: ${differences.join("; ")}, unlike when the probe was calibrated.`];
}
