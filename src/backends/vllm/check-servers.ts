import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";
import { SepError } from "../../errors.ts";
import { explainServerRefusal } from "../../net/describe-outcome.ts";
import type { ServerAddress } from "../../net/server-address.ts";
import { formatNumber } from "../../text/format-numbers.ts";
import {
  type AnswerApi,
  answerPath,
  buildAnswerRequest,
  readAnswer,
  type ServedAnswer,
} from "./answer-protocol.ts";
import type { AnswerStreams } from "./answer-stream.ts";
import { checkTokenizer } from "./served-model.ts";

interface CheckOptions extends Omit<AnswerStreams, "layers"> {
  readonly api: AnswerApi;
  readonly signal: AbortSignal | undefined;
}

/**
 * Whether every server reads a prompt as this package does, and answers it with what is needed: log-probabilities of the
 * model, whatever the sampler does to them, and tokens that are drawn from them.
 * @returns whether they write hidden states of each answer to a file
 * @throws SepError `server-mismatch`, `no-logprobs`, `server-refused`
 */
export async function checkServers(
  prompt: Prompt,
  options: CheckOptions,
): Promise<{ readonly extracts: boolean }> {
  const { pool, model, served, signal } = options;
  const plain = model.tokenizer.encode(prompt.text, { specialTokens: false });
  await checkTokenizer(pool, served.name, prompt.text, plain, signal);
  const extracting = await Promise.all(pool.servers.map((server) => checkServer(server, prompt, options)));
  return { extracts: extracting.includes(true) };
}

/** @returns whether it extracts hidden states */
async function checkServer(server: ServerAddress, prompt: Prompt, options: CheckOptions): Promise<boolean> {
  const certain = { temperature: COLD, topP: 0.5 };
  const [plain, cold] = [await ask(server, prompt, {}, options), await ask(server, prompt, certain, options)];
  const [got, wanted] = [cold.highest[0] as number, plain.highest[0] as number];
  if (Math.abs(got - wanted) >= RAW_TOLERANCE)
    throw new SepError(
      "no-logprobs",
      `The log-probabilities of ${server.api} change with the temperature: ${formatNumber(got)} at ${COLD} and ${formatNumber(wanted)} at 1 for the likeliest token. Start it with --logprobs-mode raw_logprobs; otherwise entropies would measure the sampler.`,
    );
  for (const [i, logprob] of cold.logprobs.entries()) {
    const highest = cold.highest[i] as number;
    if (logprob > highest - COLD_TOLERANCE) continue;
    throw new SepError(
      "server-mismatch",
      `${server.api} does not draw its answers from the model's distribution: at a temperature of ${COLD}, token ${i} has a log-probability of ${formatNumber(logprob)}, where the likeliest has ${formatNumber(highest)}. vLLM 0.32 does so on a CPU while it extracts hidden states; docs/appendix/agreement.md. Sample from a server that \`sep vllm-command --purpose answers\` starts.`,
    );
  }
  return plain.statesPath !== null;
}

/** As cold as vLLM gets without being greedy: tokens that are half as likely as the best one never come. */
const COLD = 0.01;
const COLD_TOLERANCE = 0.5;
/** The first token is drawn by itself; the next ones as all that follow. */
const TOKENS = 8;
/** Half precision in another batch changes a log-probability by a few hundredths. */
const RAW_TOLERANCE = 0.1;

async function ask(
  server: ServerAddress,
  prompt: Prompt,
  shape: Partial<SamplerSettings>,
  { pool, model, served, inbox, api, signal }: CheckOptions,
): Promise<ServedAnswer> {
  const requestName = inbox.nextName();
  const body = buildAnswerRequest(prompt, {
    model: served.name,
    api,
    sampler: { ...PLAIN_SAMPLER, ...shape },
    sampleSeed: 1,
    maxTokens: TOKENS,
    endTokenIds: model.endTokenIds,
    requestName,
  });
  const answer = await pool.ask(server, answerPath(api), { body, signal });
  if (answer.status >= 400) throw explainServerRefusal(server.api, answer);
  const read = readAnswer(answer, server.api);
  if (read.statesPath !== null) {
    await inbox.announce(requestName, read.statesPath);
    inbox.discard(requestName);
  }
  requireSamePrompt(read, prompt, server.api);
  return read;
}

const PLAIN_SAMPLER: SamplerSettings = {
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  maxNewTokens: TOKENS,
  stopStrings: [],
  stopTokenIds: [],
};

/** In chat the server renders the template itself, and its template may differ. */
export function requireSamePrompt({ promptIds }: ServedAnswer, { tokenIds }: Prompt, source: string): void {
  if (promptIds === null) return;
  const differs = tokenIds.findIndex((id, index) => promptIds[index] !== id);
  if (differs === -1 && promptIds.length === tokenIds.length) return;
  throw new SepError(
    "server-mismatch",
    `${source} answered a prompt of ${promptIds.length} tokens, expected the ${tokenIds.length} that --model makes of it${
      differs === -1
        ? ""
        : `, and token ${differs} is ${promptIds[differs]} there and ${tokenIds[differs]} here`
    }. Its chat template differs: use --vllm-api completions, which sends token ids.`,
  );
}
