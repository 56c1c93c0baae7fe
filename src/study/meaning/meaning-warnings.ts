import type { ComparedPair } from "../../meaning/equivalence.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import type { ClusteredRuns } from "../entropy/cluster-runs.ts";

/** Warnings about clusters: where the relation, its model or the order of the samples makes them doubtful. */
export function findMeaningWarnings(questions: readonly ClusteredRuns[]): ManifestWarning[] {
  const warnings: ManifestWarning[] = [];
  const warn = (code: string, message: string): void => void warnings.push({ code, message });
  const clusters = questions.map((each) => each.clusters);
  const broken = clusters.filter(({ nonTransitiveShare: share }) => (share ?? 0) > 0);
  if (broken.length > 0)
    warn(
      "non-transitive",
      `In ${broken.length} of ${clusters.length} questions, some answers mean the same as a third but not as each other${describeOrders(questions)}.`,
    );
  const pairs = clusters.flatMap((each) => each.pairs);
  const unparsed = countUnparsed(pairs);
  if (unparsed > 0)
    warn(
      "judge-unparsed",
      `${unparsed} of ${countRule(pairs, "judge")} pairs have a reply from the judge that is none of the requested labels: they count as different.`,
    );
  const truncated = pairs.filter(isTruncated).length;
  if (truncated > 0)
    warn(
      "meaning-truncated",
      `${truncated} of ${pairs.length} pairs are longer than the model's input: it compared only their beginnings.`,
    );
  return warnings;
}

/** Counts for the manifest: pairs by rule, and the questions whose cluster count depends on the samples' order. */
export function countMeaning(questions: readonly ClusteredRuns[]): Record<string, number> {
  const pairs = questions.flatMap(({ clusters }) => clusters.pairs);
  const rules = [...new Set(pairs.map(({ rule }) => rule))].sort();
  return {
    pairs: pairs.length,
    ...Object.fromEntries(rules.map((rule) => [`pairs_by_${rule}`, countRule(pairs, rule)])),
    order_sensitive_questions: questions.filter(isOrderSensitive).length,
  };
}

function describeOrders(questions: readonly ClusteredRuns[]): string {
  const orders = questions.flatMap(({ clusters }) => clusters.orderSensitivity ?? []);
  if (orders.length === 0) return "";
  const moved = questions.filter(isOrderSensitive).length;
  const widest = Math.max(...orders.map(({ minEntropy, maxEntropy }) => maxEntropy - minEntropy));
  return `. In ${moved} of them, the number of clusters depends on the order of the samples, and discrete semantic entropy changes by up to ${widest.toFixed(3)} nats`;
}

const isOrderSensitive = ({ clusters: { orderSensitivity: order } }: ClusteredRuns): boolean =>
  order !== null && order.minClusters < order.maxClusters;

const countRule = (pairs: readonly ComparedPair[], rule: ComparedPair["rule"]): number =>
  pairs.filter((pair) => pair.rule === rule).length;

const countUnparsed = (pairs: readonly ComparedPair[]): number =>
  pairs.filter((pair) => pair.rule === "judge" && pair.labels.includes(null)).length;

function isTruncated(pair: ComparedPair): boolean {
  if (pair.rule === "nli") return pair.forward.truncated || pair.backward.truncated;
  return pair.rule === "cosine" && pair.truncated;
}
