import { SepError } from "../errors.ts";

export const NLI_LABELS = ["entailment", "neutral", "contradiction", "not-entailment"] as const;
/** What a logit of an NLI model stands for. */
export type NliLabel = (typeof NLI_LABELS)[number];

/** Spellings of the public checkpoints, in lower case with hyphens. */
const SPELLINGS: Readonly<Record<string, NliLabel>> = {
  entailment: "entailment",
  neutral: "neutral",
  contradiction: "contradiction",
  "not-entailment": "not-entailment",
  "non-entailment": "not-entailment",
};

/**
 * What each logit of an NLI model stands for. Public checkpoints have the labels in three orders, so the names decide.
 * @param names of the model's labels, in the order of its logits
 * @throws SepError `bad-nli-model` unless they are entailment, neutral and contradiction, or entailment and its absence
 */
export function readNliLabels(model: string, names: readonly string[]): readonly NliLabel[] {
  const labels = names.map(
    (name) =>
      SPELLINGS[
        name
          .trim()
          .toLowerCase()
          .replaceAll(/[_\s]+/g, "-")
      ],
  );
  const found = labels.filter((label) => label !== undefined);
  if (found.length === names.length && isComplete(found)) return found;
  const unnamed = names.every((name) => /^label[_ ]?\d+$/i.test(name))
    ? " Its config does not say what they mean: the model's page may, and then the option `labels` tells it here, in the order of the logits."
    : " Is it an NLI model?";
  throw new SepError(
    "bad-nli-model",
    `${model} has the labels ${names.join(", ")}, expected entailment, neutral and contradiction, or entailment and not_entailment.${unnamed}`,
  );
}

function isComplete(labels: readonly NliLabel[]): boolean {
  const set = labels.toSorted().join();
  return set === "contradiction,entailment,neutral" || set === "entailment,not-entailment";
}
