import { SepError } from "../../errors.ts";
import type { ServerPool } from "../../net/server-pool.ts";

/**
 * Compares how each server reads a text with how this package does. Another model's tokenizer would turn every
 * prompt into something else, in silence.
 * @param tokenIds of the text, without special tokens added
 * @throws SepError `server-mismatch`
 * @see https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html, "Tokenizer API"; other servers lack it
 */
export async function checkTokenizer(
  pool: ServerPool,
  model: string,
  text: string,
  tokenIds: readonly number[],
  signal?: AbortSignal,
): Promise<void> {
  for (const server of pool.servers) {
    const body = { model, prompt: text, add_special_tokens: false };
    const answer = await pool.ask(server, "/tokenize", { at: "root", body, signal });
    const tokens = answer.status < 300 ? readTokens(answer.text) : null;
    if (tokens === null) continue;
    const differs = tokenIds.findIndex((id, index) => tokens[index] !== id);
    if (differs === -1 && tokens.length === tokenIds.length) continue;
    throw new SepError(
      "server-mismatch",
      `${server.api} reads the first prompt as ${tokens.length} tokens and the tokenizer of --model as ${tokenIds.length}${
        differs === -1
          ? ""
          : `, and token ${differs} is ${tokens[differs]} there and ${tokenIds[differs]} here`
      }. The server has another model or another tokenizer than --model names.`,
    );
  }
}

/** null from a server whose `/tokenize` is something else. */
function readTokens(text: string): readonly number[] | null {
  try {
    const { tokens } = JSON.parse(text) as { readonly tokens?: unknown };
    return Array.isArray(tokens) && tokens.length > 0 && tokens.every(Number.isInteger) ? tokens : null;
  } catch {
    return null;
  }
}
