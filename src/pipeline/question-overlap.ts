import { groupQuestions } from "../questions/near-duplicates.ts";
import type { RunRecord } from "../sampling/run-record.ts";
import type { ManifestWarning } from "../store/manifest.ts";

/** Words of each question, by its id. */
export type QuestionTexts = ReadonlyMap<string, string>;

/** Which questions of a set are duplicates of one another. */
export interface DuplicateGroups {
  /** Of each question that has duplicates, the least of their ids. */
  readonly groupOf: ReadonlyMap<string, string>;
  /** Questions that are the same as another of the set but for spelling, the first of each kind not counted. */
  readonly sameCount: number;
  /** Further ones that are nearly the same. */
  readonly nearCount: number;
}

/** Groups the duplicates and near-duplicates of one set. */
export function groupDuplicates(texts: QuestionTexts): DuplicateGroups {
  const ids = [...texts.keys()].sort();
  const { firstOf, sameCount, nearCount } = groupQuestions(ids.map((id) => texts.get(id)!));
  const pairs = ids.map((id, place) => [id, ids[firstOf[place]!]!] as const);
  const grouped = new Set(pairs.flatMap(([id, first]) => (id === first ? [] : [first])));
  return { groupOf: new Map(pairs.filter(([, first]) => grouped.has(first))), sameCount, nearCount };
}

/**
 * The questions of a set that another asks as well, in the same words or nearly: those that a group of both sets' questions
 * joins to one of the other.
 * @returns ids, in the order of `texts`
 */
export function findShared(texts: QuestionTexts, others: Iterable<string>): readonly string[] {
  const known = [...others];
  const { firstOf } = groupQuestions([...known, ...texts.values()]);
  return [...texts.keys()].filter((_, place) => firstOf[known.length + place]! < known.length);
}

/**
 * What each run's question asks. Runs of other tools have it only among the other words of their prompts; what all prompts
 * of a set begin and end with is taken off where it is a template, longer than what it holds.
 */
export function questionTexts(runs: readonly RunRecord[]): QuestionTexts {
  const first = new Map<string, RunRecord>();
  for (const run of runs) if (!first.has(run.question_id)) first.set(run.question_id, run);
  const prompts = [...first.values()].filter(({ question }) => question === undefined);
  const bare = withoutTemplate(prompts.map(({ prompt }) => prompt));
  const bareOf = new Map(prompts.map(({ question_id }, place) => [question_id, bare[place]!]));
  return new Map([...first].map(([id, { question }]) => [id, question ?? bareOf.get(id)!]));
}

function withoutTemplate(prompts: readonly string[]): readonly string[] {
  if (prompts.length < 2) return prompts;
  const words = prompts.map((prompt) => prompt.split(/\s+/).filter((word) => word !== ""));
  const shortest = words.reduce((least, { length }) => Math.min(least, length), Number.POSITIVE_INFINITY);
  const model = words.find(({ length }) => length === shortest) ?? [];
  const sharedBy = (
    wordOf: (own: readonly string[], at: number) => string | undefined,
    most: number,
  ): number => {
    let at = 0;
    while (at < most && words.every((own) => wordOf(own, at) === wordOf(model, at))) at++;
    return at;
  };
  const start = sharedBy((own, at) => own[at], shortest);
  if (start === shortest) return prompts; // one prompt is the beginning of all others, or there is only one
  const end = sharedBy((own, at) => own[own.length - 1 - at], shortest - start);
  if (2 * (start + end) <= shortest) return prompts;
  return words.map((own) => own.slice(start, own.length - end).join(" "));
}

/** @param about whose duplicates, where the step does not say it: "math: " */
export function warnOfDuplicates(
  { groupOf, sameCount, nearCount }: DuplicateGroups,
  about = "",
): ManifestWarning[] {
  if (sameCount + nearCount === 0) return [];
  const example = [...groupOf].find(([id, first]) => id !== first)!;
  return [
    {
      code: "duplicate-questions",
      message:
        `${about}${sameCount + nearCount} questions repeat others of the set (${sameCount} in the same words, ${nearCount} nearly): ` +
        `${JSON.stringify(example[0])} repeats ${JSON.stringify(example[1])}. Duplicates stay on one side of every split and count as one question.`,
    },
  ];
}

const NAMED = 5;

/** The first few of some questions, and how many more. */
export function nameSome(ids: readonly string[]): string {
  const named = ids.slice(0, NAMED).map((id) => JSON.stringify(id));
  const rest = ids.length - named.length;
  return `${named.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
