import type { Entailer, EntailmentVerdict } from "../../src/meaning/entailer.ts";

/** A fake model of inference, with what it was asked. */
export interface TableEntailer extends Entailer {
  /** One entry a call: the pairs of that call. */
  readonly calls: readonly (readonly (readonly [string, string])[])[];
}

/**
 * A model of inference that reads its verdicts from a table: `"A > B"` -> what A makes of B, as one of the words or as
 * [entailment, neutral, contradiction]. Pairs that are not in it are neutral.
 * @param options.question stands in front of each text of the table, as it does in what the model is asked; null: none
 */
export function createTableEntailer(
  table: Readonly<
    Record<string, "entailment" | "neutral" | "contradiction" | readonly [number, number, number]>
  >,
  {
    question = "?",
    tellsContradiction = true,
  }: { question?: string | null; tellsContradiction?: boolean } = {},
): TableEntailer {
  const calls: (readonly (readonly [string, string])[])[] = [];
  const plain = (text: string): string => (question === null ? text : text.slice(question.length + 1));
  return {
    name: "table",
    provenance: { name: "table" },
    fingerprint: "table",
    tellsContradiction,
    calls,
    async classify(pairs, { signal } = {}) {
      signal?.throwIfAborted();
      calls.push(pairs);
      return pairs.map(([premise, hypothesis]) => verdict(table[`${plain(premise)} > ${plain(hypothesis)}`]));
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function verdict(
  entry: "entailment" | "neutral" | "contradiction" | readonly [number, number, number] = "neutral",
): EntailmentVerdict {
  const [entailment, neutral, contradiction] = typeof entry === "string" ? LIKELY[entry] : entry;
  return { entailment, neutral, contradiction, truncated: false };
}

const LIKELY = {
  entailment: [0.9, 0.08, 0.02],
  neutral: [0.1, 0.8, 0.1],
  contradiction: [0.01, 0.09, 0.9],
} as const;
