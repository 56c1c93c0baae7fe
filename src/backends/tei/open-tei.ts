import type { OpeningEvent } from "../../checkpoint/opening-event.ts";
import { SepError } from "../../errors.ts";
import { stableStringify } from "../../formats/json.ts";
import {
  type Entailer,
  type EntailmentVerdict,
  type NliLabel,
  readNliLabels,
  testEntailer,
} from "../../meaning/entailer.ts";
import { quoteAnswer } from "../../net/describe-outcome.ts";
import { allOrNone } from "../../net/map-concurrently.ts";
import { type Answered, parseBody } from "../../net/send-once.ts";
import { parseServerAddress } from "../../net/server-address.ts";
import { createServerPool, type ServerPool } from "../../net/server-pool.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { redactStrings } from "../../text/redact.ts";
import type { BackendWith, OpenBackendOptions } from "../backend.ts";

/** The default batch size of text-embeddings-inference (`--max-client-batch-size`). */
const MAX_BATCH = 32;
/** Batches in flight: the server queues them anyway, and 429 says that its queue is full. */
const BATCHES_AT_A_TIME = 8;

type Pair = readonly [premise: string, hypothesis: string];

/**
 * Opens a text-embeddings-inference server with an NLI model; a key is in `TEI_API_KEY`.
 * @throws SepError `bad-option` if the address is not valid; as `createTeiEntailer`
 */
export async function* openTei(
  url: string,
  { hub, signal }: Pick<OpenBackendOptions, "hub" | "signal"> = {},
): AsyncGenerator<OpeningEvent, BackendWith<"entail">> {
  const servers = [parseServerAddress(url, "--nli-url")];
  const apiKey = (hub?.env ?? process.env).TEI_API_KEY || undefined;
  const pool = createServerPool(servers, { apiKey, sleep: hub?.sleep });
  try {
    const entail = await createTeiEntailer(pool, signal);
    return { name: "tei", entail, [Symbol.asyncDispose]: () => entail[Symbol.asyncDispose]() };
  } catch (error) {
    await pool[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * An entailer on a text-embeddings-inference server with an NLI model, of which it asks name, revision and labels, and
 * which it tests with known pairs.
 * @param pool the server; it belongs to the entailer
 * @throws SepError `bad-nli-model`, `server-refused`, `server-unreachable`
 * @see https://huggingface.github.io/text-embeddings-inference/, `/info` and `/predict`
 */
export async function createTeiEntailer(pool: ServerPool, signal?: AbortSignal): Promise<Entailer> {
  const [server] = pool.servers as [(typeof pool.servers)[number]];
  const info = await pool.ask(server, "/info", { at: "root", signal });
  const {
    model_id: name,
    model_sha: revision,
    model_dtype: dtype,
    max_client_batch_size: most,
    version,
  } = readJson(info, server.root) as Readonly<Record<string, unknown>>;
  if (typeof name !== "string") {
    throw new SepError(
      "server-refused",
      `${server.root}/info names no model_id. Is it the address of a text-embeddings-inference server?`,
    );
  }
  const labels = await readLabels(pool, name, signal);
  const identity = { engine: "text-embeddings-inference", model: name, revision, dtype, labels };
  const batch = Math.min(MAX_BATCH, typeof most === "number" && most > 0 ? most : MAX_BATCH);
  const entailer: Entailer = {
    name,
    provenance: {
      engine: "text-embeddings-inference",
      id: name,
      revision: typeof revision === "string" ? revision : null,
      dtype: typeof dtype === "string" ? dtype : null,
      version: typeof version === "string" ? version : null,
      labels,
    },
    fingerprint: fingerprint(stableStringify(JSON.parse(JSON.stringify(identity)))),
    tellsContradiction: labels.includes("contradiction"),
    async classify(pairs, options) {
      const keys = pairs.map((pair) => JSON.stringify(pair));
      const distinct = [...new Map(keys.map((key, i) => [key, pairs[i] as Pair]))];
      const verdicts = new Map<string, EntailmentVerdict>();
      for (let start = 0; start < distinct.length; start += batch * BATCHES_AT_A_TIME) {
        const batches = chunk(distinct.slice(start, start + batch * BATCHES_AT_A_TIME), batch);
        await allOrNone(batches, options?.signal, async (entries, stop) => {
          const predicted = await predict(
            pool,
            name,
            entries.map(([, pair]) => pair),
            stop,
          );
          for (const [i, [key]] of entries.entries()) verdicts.set(key, predicted[i] as EntailmentVerdict);
        });
      }
      return keys.map((key) => verdicts.get(key) as EntailmentVerdict);
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
  await testEntailer(entailer);
  return entailer;
}

const chunk = <T>(items: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

interface Prediction {
  readonly label: string;
  readonly score: number;
}

/** The labels come with every prediction, the likeliest first; their names matter, not their order. */
async function readLabels(
  pool: ServerPool,
  model: string,
  signal: AbortSignal | undefined,
): Promise<readonly NliLabel[]> {
  const [predictions] = (await ask(pool, [["It rains.", "It is wet."]], signal)) as [readonly Prediction[]];
  return readNliLabels(model, predictions.map(({ label }) => label).toSorted());
}

/** A batch that is too large for the server (413) is sent in halves; a single pair is truncated by the server. */
async function predict(
  pool: ServerPool,
  model: string,
  pairs: readonly Pair[],
  signal: AbortSignal,
): Promise<readonly EntailmentVerdict[]> {
  const predictions = await ask(pool, pairs, signal);
  if (predictions === "too-large") {
    const half = Math.ceil(pairs.length / 2);
    return [
      ...(await predict(pool, model, pairs.slice(0, half), signal)),
      ...(await predict(pool, model, pairs.slice(half), signal)),
    ];
  }
  return predictions.map((scores) => readVerdict(model, scores));
}

async function ask(
  pool: ServerPool,
  pairs: readonly Pair[],
  signal: AbortSignal | undefined,
): Promise<readonly (readonly Prediction[])[] | "too-large"> {
  const body = { inputs: pairs, truncate: true };
  const key = JSON.stringify(pairs[0]);
  const answer = await pool.post("/predict", body, { at: "root", key, signal });
  const source = pool.servers.map(({ root }) => root).join(", ");
  if (answer.status === 413 && pairs.length > 1) return "too-large";
  const found = readJson(answer, source);
  // the answer for one pair may come without the outer list
  const lists = Array.isArray(found) && found.every(isPrediction) ? [found] : found;
  const isWhole =
    Array.isArray(lists) &&
    lists.length === pairs.length &&
    lists.every((list) => Array.isArray(list) && list.length > 1 && list.every(isPrediction));
  if (isWhole) return lists as readonly (readonly Prediction[])[];
  throw new SepError(
    "server-refused",
    `${source}/predict answered ${pairs.length} pairs with ${quoteAnswer(answer)}, expected a list of labels and scores for each. Does it serve a classifier of sentence pairs?`,
  );
}

const isPrediction = (value: unknown): value is Prediction => {
  const { label, score } = (value ?? {}) as { readonly label?: unknown; readonly score?: unknown };
  return typeof label === "string" && typeof score === "number";
};

function readVerdict(model: string, scores: readonly Prediction[]): EntailmentVerdict {
  const labels = readNliLabels(
    model,
    scores.map(({ label }) => label),
  );
  const of = (label: NliLabel): number => scores[labels.indexOf(label)]?.score ?? 0;
  const total = scores.reduce((sum, { score }) => sum + score, 0);
  return {
    entailment: of("entailment") / total,
    neutral: (of("neutral") + of("not-entailment")) / total,
    contradiction: of("contradiction") / total,
    truncated: false, // the server does not say
  };
}

function readJson(answer: Answered, source: string): unknown {
  if (answer.status >= 400) {
    throw new SepError(
      "server-refused",
      `${source} answered ${answer.status}: ${quoteAnswer(answer)}. Check --nli-url and the server's log.`,
    );
  }
  try {
    // its names and labels are shown, and kept in manifests
    return redactStrings(parseBody(answer), answer.redactor.known);
  } catch (cause) {
    throw new SepError(
      "server-refused",
      `${source} did not answer with JSON: ${quoteAnswer(answer)}. Is it the address of a text-embeddings-inference server?`,
      { cause },
    );
  }
}
