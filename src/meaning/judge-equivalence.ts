import type { Equivalence } from "./equivalence.ts";
import {
  completeAll,
  type JudgeLabel,
  type JudgeModel,
  type JudgePromptName,
  judgePrompt,
  parseJudgeReply,
} from "./judge-model.ts";
import { type EntailmentLabel, type EntailmentRule, sameByLabels } from "./nli-equivalence.ts";

export interface JudgeEquivalenceOptions {
  readonly prompt?: JudgePromptName | undefined;
  /** For the prompt `entailment`. */
  readonly rule?: Exclude<EntailmentRule, "threshold"> | undefined;
}

/**
 * The same meaning where a language model says so. A reply that is none of the words asked for counts as "not the
 * same" and is null in the verdict, so that it can be counted.
 */
export function createJudgeEquivalence(
  model: JudgeModel,
  { prompt: promptName = "entailment", rule = "strict" }: JudgeEquivalenceOptions = {},
): Equivalence {
  const { name, version, labels, isDirected, write } = judgePrompt(promptName);
  return {
    name: "judge",
    provenance: {
      name: "judge",
      version: 1,
      prompt: { name, version },
      rule: isDirected ? rule : null,
      model: model.provenance,
    },
    // batching gains nothing here, and a judge may be slow: small batches show finished questions early
    batchPairs: 4 * model.concurrency,
    async compare(pairs, { signal } = {}) {
      const prompts = pairs.flatMap(({ question, first, second }) => [
        write(question, first, second),
        ...(isDirected ? [write(question, second, first)] : []),
      ]);
      const replies = await completeAll(model, prompts, { labels, signal });
      const each = prompts.length / pairs.length;
      return pairs.map((_, i) => {
        const own = replies.slice(i * each, (i + 1) * each).map((reply) => parseJudgeReply(reply, labels));
        return { same: isSame(own, isDirected, rule), rule: "judge", labels: own };
      });
    },
  };
}

function isSame(
  labels: readonly (JudgeLabel | null)[],
  isDirected: boolean,
  rule: Exclude<EntailmentRule, "threshold">,
): boolean {
  if (!isDirected) return labels[0] === "yes";
  const [forward, backward] = labels as readonly (EntailmentLabel | null)[];
  return sameByLabels(rule, forward ?? null, backward ?? null);
}
