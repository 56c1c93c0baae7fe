import { join } from "node:path";
import { cacheFolder } from "../../checkpoint/cache-folder.ts";
import { stableStringify } from "../../formats/json.ts";
import type { Entailer, EntailmentVerdict } from "../../meaning/entailer.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import { createSharedLog, type SharedLog } from "../../store/append-jsonl.ts";
import { explainCacheError, makeFolder } from "../../store/file-error.ts";
import { fingerprint } from "../../store/fingerprint.ts";

export interface CachedEntailerOptions {
  /** Where verdicts are kept; `nli-verdicts` in the cache folder by default. */
  readonly folder?: string | undefined;
}

/** Pairs classified before their verdicts are written: a few seconds' work, which is all that a kill can lose. */
const PAIRS_AT_A_TIME = 128;

/**
 * An entailer that keeps its verdicts on disk, one file per set of weights and settings, and computes no pair
 * twice. Any number of processes may use one folder.
 * @param entailer computes what is not known; disposed of with this one
 * @throws SepError from `classify`: `cache-not-writable`, `disk-full`, and the entailer's own
 */
export async function createCachedEntailer(
  entailer: Entailer,
  { folder = cacheFolder("nli-verdicts") }: CachedEntailerOptions = {},
): Promise<Entailer> {
  const log = openCacheLog(folder, entailer.fingerprint);
  const known = new Map<string, EntailmentVerdict>();
  const refresh = async (): Promise<void> => {
    for (const row of await log.readNew()) {
      const entry = parseEntry(row);
      if (entry !== null) known.set(...entry);
    }
  };
  await refresh();
  const { name, provenance, tellsContradiction } = entailer;
  return {
    name,
    provenance,
    fingerprint: entailer.fingerprint,
    tellsContradiction,
    async classify(pairs, options) {
      await refresh();
      const keys = pairs.map(([premise, hypothesis]) => fingerprint(JSON.stringify([premise, hypothesis])));
      const missing = new Map(
        keys.flatMap((key, index) => (known.has(key) ? [] : [[key, pairs[index] as (typeof pairs)[number]]])),
      );
      // by length, so that a chunk's batches need as little padding as if all pairs were one
      const entries = [...missing].sort(([, a], [, b]) => lengthOf(a) - lengthOf(b));
      for (let start = 0; start < entries.length; start += PAIRS_AT_A_TIME) {
        const chunk = entries.slice(start, start + PAIRS_AT_A_TIME);
        const verdicts = await entailer.classify(
          chunk.map(([, pair]) => pair),
          options,
        );
        const rows = chunk.map(([key], index) => formatEntry(key, verdicts[index] as EntailmentVerdict));
        await log.append(rows);
        for (const [index, [key]] of chunk.entries()) known.set(key, verdicts[index] as EntailmentVerdict);
      }
      return keys.map((key) => known.get(key) as EntailmentVerdict);
    },
    [Symbol.asyncDispose]: () => entailer[Symbol.asyncDispose](),
  };
}

const lengthOf = ([premise, hypothesis]: readonly [string, string]): number =>
  premise.length + hypothesis.length;

/** `[key, entailment, neutral, contradiction]`, followed by 1 for a pair that was truncated. */
const formatEntry = (key: string, verdict: EntailmentVerdict): readonly (string | number)[] => [
  key,
  verdict.entailment,
  verdict.neutral,
  verdict.contradiction,
  ...(verdict.truncated ? [1] : []),
];

/** @returns null for a row that this program did not write: its pair is computed again */
function parseEntry(row: unknown): [string, EntailmentVerdict] | null {
  if (!Array.isArray(row)) return null;
  const [key, entailment, neutral, contradiction, cut] = row as unknown[];
  const probs = [entailment, neutral, contradiction];
  if (typeof key !== "string" || !probs.every((p) => typeof p === "number" && p >= 0 && p <= 1)) return null;
  const [a, b, c] = probs as [number, number, number];
  if (Math.abs(a + b + c - 1) > SUM_TOLERANCE) return null;
  return [key, { entailment: a, neutral: b, contradiction: c, truncated: cut === 1 }];
}

/** Rounding of three probabilities. */
const SUM_TOLERANCE = 1e-9;

interface CachedJudgeOptions {
  /** Where replies are kept; `judge-replies` in the cache folder by default. */
  readonly folder?: string | undefined;
}

/**
 * A judge that writes each reply to disk at once, one file per provenance, and is never asked the same twice.
 * Any number of processes may use one folder.
 * @throws SepError from `complete`: `cache-not-writable`, `disk-full`, and the judge's own
 */
export async function createCachedJudge(
  judge: JudgeModel,
  { folder = cacheFolder("judge-replies") }: CachedJudgeOptions = {},
): Promise<JudgeModel> {
  const { name, provenance, concurrency } = judge;
  const log = openCacheLog(folder, fingerprint(stableStringify(provenance)));
  const known = new Map<string, string>();
  for (const row of await log.readNew()) if (isEntry(row)) known.set(...row);
  return {
    name,
    provenance,
    concurrency,
    async complete(prompt, options) {
      const { labels, leastProbability } = options;
      const asked = [prompt, labels, ...(leastProbability === undefined ? [] : [leastProbability])];
      const key = fingerprint(JSON.stringify(asked));
      const before = known.get(key);
      if (before !== undefined) return before;
      const reply = await judge.complete(prompt, options);
      await log.append([[key, reply]]);
      known.set(key, reply);
      return reply;
    },
  };
}

/** Rows that this program did not write are ignored, and their prompts asked again. */
const isEntry = (row: unknown): row is [string, string] =>
  Array.isArray(row) && row.length === 2 && row.every((item) => typeof item === "string");

/**
 * A log in the cache; the first row creates its folder.
 * @param name of its file, without extension
 * @throws SepError from `append`: `cache-not-writable`, `disk-full`, and those of `SharedLog`
 */
function openCacheLog(folder: string, name: string): SharedLog {
  const log = createSharedLog(join(folder, `${name}.jsonl`));
  return {
    readNew: () => log.readNew(),
    append: (rows) =>
      makeFolder(folder)
        .then(() => log.append(rows))
        .catch((error: unknown) => {
          throw explainCacheError(error, folder, "another folder with SEP_CACHE");
        }),
  };
}
