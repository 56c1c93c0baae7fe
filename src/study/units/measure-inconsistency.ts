import { mean } from "../../math/vector.ts";
import type { Entailer } from "../../meaning/entailer.ts";

/** A part of an answer by its text. */
interface TextUnit {
  readonly text: string;
}

/** How far the other samples leave a part of an answer open. */
interface Inconsistency {
  /** In [0, 1]; 0 where all of them entail it. */
  readonly value: number;
  /** Pairs of which the model read the beginning only. */
  readonly truncated: number;
}

/**
 * 1 - mean over the other samples of p(the part follows from the sample), for each part of an answer.
 * @param others texts of the question's other samples, at least one
 * @see Manakul et al. 2023, "SelfCheckGPT", section 5.4, which asks for contradiction; Zhang et al. 2024, "LUQ", equation 2, for entailment
 */
export async function measureInconsistency(
  units: readonly TextUnit[],
  others: readonly string[],
  entailer: Entailer,
  signal?: AbortSignal,
): Promise<Inconsistency[]> {
  const pairs = units.flatMap(({ text }) => others.map((other) => [other, text] as const));
  const verdicts = await entailer.classify(pairs, { signal });
  return units.map((_, i) => {
    const own = verdicts.slice(i * others.length, (i + 1) * others.length);
    return {
      value: 1 - mean(own.map(({ entailment }) => entailment)),
      truncated: own.filter(({ truncated }) => truncated).length,
    };
  });
}
