import { HELD_OUT_SPLITS } from "../evaluation/probe-eval.ts";
import { SCORE_INFO } from "../evaluation/score-names.ts";
import type { SeedsSummary } from "../evaluation/summarise-seeds.ts";
import { describeSeedInterval, pickSeedScores } from "../report/seed-tables.ts";
import { formatInterval, formatNumber, formatSigned } from "../text/format-numbers.ts";
import { type Look, layOutRow, wrap } from "./terminal.ts";

/** Repetitions with other seeds as a table for people: the probes and their strongest rivals. */
export function describeSeeds(summary: SeedsSummary, { paint, columns }: Look): string {
  const { seeds, probe, splits } = summary;
  const title = `${paint("bold", "Over other seeds")}\n  ${seeds.length} ${summary.is_split_given ? "fits" : "splits and fits"}, seeds ${shorten(seeds)}`;
  const blocks = HELD_OUT_SPLITS.flatMap((split) => {
    const own = splits[split];
    if (own === undefined) return [];
    const lines = pickSeedScores(own).map((name) => {
      const { auc, difference } = own.scores[name]!;
      return [
        `    ${SCORE_INFO[name].title}`,
        formatNumber(auc.mean),
        formatNumber(auc.sd),
        formatInterval(auc.interval === null ? [] : [auc.interval]),
        difference === null ? "" : formatSigned(difference.mean),
      ];
    });
    const questions = split === "math_test" ? "test" : "out of distribution";
    const [kind] = SCORE_INFO[probe].title.split(" ");
    const header = [`  ${questions}`, "AUROC", "SD", "95% interval", `${kind} minus`];
    const width = Math.min(columns, WIDEST_TEXT) - 4;
    return [
      paint("gray", layOutRow(header, WIDTHS, columns)),
      ...lines.map((cells) => layOutRow(cells, WIDTHS, columns)),
      ...wrap(describeSeedInterval(own.interval), width).map((line) => paint("gray", `    ${line}`)),
    ];
  });
  return [title, ...blocks].join("\n");
}

const shorten = (seeds: readonly number[]): string =>
  seeds.length > 8 ? `${seeds.slice(0, 8).join(", ")} and ${seeds.length - 8} more` : seeds.join(", ");

const WIDTHS = [32, 7, 7, 15, 17];
/** Longer lines are hard to read. */
const WIDEST_TEXT = 78;
