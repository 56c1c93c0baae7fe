import { SCORE_INFO } from "../evaluation/score-names.ts";
import { REPEATED_SPLITS, type SeedsSummary } from "../evaluation/summarise-seeds.ts";
import { describeSeedInterval, pickSeedScores } from "../report/seed-tables.ts";
import { formatInterval, formatNumber, formatSigned } from "../text/format-numbers.ts";
import { type Paint, wrap } from "./terminal.ts";

/** Repetitions with other seeds as a table for people: the probes and their strongest rivals, in 80 columns. */
export function describeSeeds(summary: SeedsSummary, paint: Paint): string {
  const { seeds, probe, splits } = summary;
  const title = `${paint("bold", "Over other seeds")}\n  ${seeds.length} ${summary.is_split_given ? "fits" : "splits and fits"}, seeds ${shorten(seeds)}`;
  const blocks = REPEATED_SPLITS.flatMap((split) => {
    const own = splits[split];
    if (own === undefined) return [];
    const lines = pickSeedScores(own).map((name) => {
      const { auc, difference } = own.scores[name]!;
      return [
        `    ${SCORE_INFO[name].title}`.padEnd(NAME_WIDTH),
        formatNumber(auc.mean).padStart(8),
        formatNumber(auc.sd).padStart(8),
        formatInterval(auc.interval === null ? [] : [auc.interval]).padStart(15),
        (difference === null ? "" : formatSigned(difference.mean)).padStart(14),
      ]
        .join("")
        .trimEnd();
    });
    return [
      paint(
        "gray",
        headerOf(split === "math_test" ? "test" : "out of distribution", SCORE_INFO[probe].title),
      ),
      ...lines,
      ...wrap(describeSeedInterval(own.interval), TEXT_WIDTH).map((line) => paint("gray", `    ${line}`)),
    ];
  });
  return [title, ...blocks].join("\n");
}

const shorten = (seeds: readonly number[]): string =>
  seeds.length > 8 ? `${seeds.slice(0, 8).join(", ")} and ${seeds.length - 8} more` : seeds.join(", ");

const NAME_WIDTH = 34;
const TEXT_WIDTH = 74;

const headerOf = (questions: string, probe: string): string =>
  [
    `  ${questions}`.padEnd(NAME_WIDTH),
    "AUROC".padStart(8),
    "SD".padStart(8),
    "95% interval".padStart(15),
    `${probe.split(" ")[0]} minus`.padStart(14),
  ].join("");
