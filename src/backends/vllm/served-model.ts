import { SepError } from "../../errors.ts";
import { explainServerRefusal, quoteAnswer } from "../../net/describe-outcome.ts";
import { type Answered, parseBody } from "../../net/send-once.ts";
import type { ServerAddress } from "../../net/server-address.ts";
import type { ServerPool } from "../../net/server-pool.ts";
import { redactStrings } from "../../text/redact.ts";

/** A model as its server lists it. */
export interface ServedModel {
  /** By what name requests ask for it. */
  readonly name: string;
  /** Tokens of prompt and answer together; null if the server does not say. */
  readonly maxModelLength: number | null;
}

interface FindServedModelOptions {
  /** The name that the server was told to use, if it is not the model's own. */
  readonly servedName?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds a model in the list of every server of a pool.
 * @param id as the user names the model
 * @returns what holds for all servers
 * @throws SepError `server-mismatch` if one serves something else; `server-refused`, `server-unreachable`
 * @see https://platform.openai.com/docs/api-reference/models/list; `root` and `max_model_len` are vLLM's
 */
export async function findServedModel(
  pool: ServerPool,
  id: string,
  { servedName, signal }: FindServedModelOptions = {},
): Promise<ServedModel> {
  const found = await Promise.all(
    pool.servers.map((server) => findOn(pool, server, { id, servedName, signal })),
  );
  const first = found[0] as ServedModel;
  const other = found.find(({ name }) => name !== first.name);
  if (other !== undefined) {
    throw new SepError(
      "server-mismatch",
      `The servers call the model ${first.name} and ${other.name}, expected one name. Start all of them with the same --served-model-name.`,
    );
  }
  const lengths = found.flatMap(({ maxModelLength }) => maxModelLength ?? []);
  return { name: first.name, maxModelLength: lengths.length === 0 ? null : Math.min(...lengths) };
}

interface ListedModel {
  readonly id?: unknown;
  readonly root?: unknown;
  readonly max_model_len?: unknown;
}

async function findOn(
  pool: ServerPool,
  server: ServerAddress,
  { id, servedName, signal }: FindServedModelOptions & { readonly id: string },
): Promise<ServedModel> {
  const answer = await pool.ask(server, "/models", { signal });
  if (answer.status >= 400) throw explainServerRefusal(server.api, answer);
  const listed = readList(answer, server);
  const plain = id.replace(/@[^@/]*$/, ""); // the server was started with a name, and perhaps --revision
  const model = listed.find((each) =>
    servedName === undefined ? each.id === plain || each.root === plain : each.id === servedName,
  );
  if (model !== undefined) {
    const { id: name, max_model_len: length } = model;
    return { name: String(name), maxModelLength: typeof length === "number" ? length : null };
  }
  const names = listed.map((each) => String(each.id)).join(", ");
  throw new SepError(
    "server-mismatch",
    `${server.api} serves ${names || "no model"}, expected ${servedName ?? plain}. Start it with that model, or give its name there with --vllm-model if it is the same model.`,
  );
}

function readList(answer: Answered, { api }: ServerAddress): readonly ListedModel[] {
  let cause: unknown;
  try {
    const { data } = parseBody(answer) as { readonly data?: unknown };
    // names that a server makes up are shown, and kept in manifests
    if (Array.isArray(data)) return redactStrings(data as ListedModel[], answer.redactor.known);
  } catch (error) {
    cause = error;
  }
  throw new SepError(
    "server-refused",
    `${api}/models did not answer with a list of models: ${quoteAnswer(answer)}. Is it the address of an OpenAI-compatible API?`,
    { cause },
  );
}

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
      }. The server has a different model or tokenizer. Make --model name the model that it serves.`,
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
