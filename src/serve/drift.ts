import type { Probe } from "../probes/probe.ts";

/** Whether recent scores are distributed like those of the probe's validation questions. */
export interface ScoreDrift {
  add(score: number): void;
  /** Population stability index of the latest scores; null while there are too few, or nothing to compare with. */
  index(): number | null;
}

/** Scores that the index is of: those of the latest answers. */
const WINDOW = 1000;
/** With fewer scores, ten shares differ by chance: the index of 200 like scores is about 9 / 200. */
const LEAST_SCORES = 200;
/** What a share of zero counts as, in scores: half of one. */
const EMPTY_SHARE = 0.5;

/**
 * PSI = sum (p_i - q_i) ln(p_i / q_i) over ten bins that hold a tenth of the validation scores each (q_i = 1/10); p_i is the
 * share of recent scores. By custom, below 0.1 means no change, above 0.25 a large one.
 * @see Yurdakul 2018, "Statistical properties of population stability index"
 */
export function createScoreDrift({ score_deciles: edges }: Pick<Probe, "score_deciles">): ScoreDrift {
  const recent: number[] = [];
  return {
    add(score) {
      recent.push(score);
      if (recent.length > WINDOW) recent.shift();
    },
    index() {
      if (edges === null || recent.length < LEAST_SCORES) return null;
      const counts = new Array<number>(edges.length + 1).fill(0);
      for (const score of recent) {
        const bin = edges.findIndex((edge) => score <= edge);
        counts[bin < 0 ? edges.length : bin]! += 1;
      }
      const expected = 1 / counts.length;
      return counts.reduce((sum, count) => {
        const share = Math.max(count, EMPTY_SHARE) / recent.length;
        return sum + (share - expected) * Math.log(share / expected);
      }, 0);
    },
  };
}
