import { cacheFolder } from "../checkpoint/cache-folder.ts";
import { fingerprint } from "../store/fingerprint.ts";
import type { Entailer, EntailmentVerdict } from "./entailer.ts";
import { openCacheLog } from "./open-cache-log.ts";

export interface CachedEntailerOptions {
  /** Where verdicts are kept; `nli-verdicts` in this tool's own cache by default. */
  readonly folder?: string | undefined;
}

/** Pairs that are classified before their verdicts are written: what an abort or a kill can lose, some seconds' work. */
const PAIRS_AT_A_TIME = 128;

/**
 * An entailer that keeps its verdicts on disk, one file for each set of weights and settings, and computes no pair
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

/** `[key, entailment, neutral, contradiction]`, and 1 behind them for a pair that was cut. */
const formatEntry = (key: string, verdict: EntailmentVerdict): readonly (string | number)[] => [
  key,
  verdict.entailment,
  verdict.neutral,
  verdict.contradiction,
  ...(verdict.truncated ? [1] : []),
];

/** @returns null for what this program did not write: the pair is computed anew */
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
