import { groupQuestions } from "../samples/near-duplicates.ts";
import type { RunRecord } from "../samples/run-record.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { listShortly } from "../text/shorten.ts";

/** The text of each question, by its id. */
type QuestionTexts = ReadonlyMap<string, string>;

/** Which questions of a set are duplicates of one another. */
export interface DuplicateGroups {
  /** For each question that has duplicates, the smallest of their ids. */
  readonly groupOf: ReadonlyMap<string, string>;
  /** Questions that are the same as another of the set except for spelling; the first of each group is not counted. */
  readonly sameCount: number;
  /** Further near-duplicates. */
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
 * The questions of a set that another set also has, word for word or nearly so: those that a group over both sets
 * joins with a question of the other.
 * @returns ids, in the order of `texts`
 */
export function findShared(texts: QuestionTexts, others: Iterable<string>): readonly string[] {
  const known = [...others];
  const { firstOf } = groupQuestions([...known, ...texts.values()]);
  return [...texts.keys()].filter((_, place) => firstOf[known.length + place]! < known.length);
}

/** One run per question, which has the question's text. */
export function firstRuns(runs: readonly RunRecord[]): readonly RunRecord[] {
  const first = new Map<string, RunRecord>();
  for (const run of runs) if (!first.has(run.question_id)) first.set(run.question_id, run);
  return [...first.values()];
}

/**
 * The texts of the questions of one or more sets. Runs of other tools have them only within their prompts; the text that
 * all prompts of all sets begin and end with is removed, which keeps equal prompts equal.
 * @param sets runs of each
 */
export function questionTexts(...sets: readonly (readonly RunRecord[])[]): readonly QuestionTexts[] {
  const asked = sets.map(firstRuns);
  const template = findTemplate(asked.flat().filter(lacksQuestion).map(wordsOf));
  const strip = (run: RunRecord): string => {
    const words = wordsOf(run);
    return words.slice(template.start, words.length - template.end).join(" ");
  };
  return asked.map((runs) => new Map(runs.map((run) => [run.question_id, run.question ?? strip(run)])));
}

const lacksQuestion = ({ question }: RunRecord): boolean => question === undefined;

const wordsOf = ({ prompt }: RunRecord): readonly string[] =>
  prompt.split(/\s+/).filter((word) => word !== "");

/** How many words all prompts begin and end with; 0 if a prompt would be left without words. */
function findTemplate(prompts: readonly (readonly string[])[]): {
  readonly start: number;
  readonly end: number;
} {
  const [first = []] = prompts;
  const shortest = prompts.reduce((least, { length }) => Math.min(least, length), first.length);
  const countShared = (
    wordOf: (own: readonly string[], at: number) => string | undefined,
    most: number,
  ): number => {
    let at = 0;
    while (at < most && prompts.every((own) => wordOf(own, at) === wordOf(first, at))) at++;
    return at;
  };
  const start = countShared((own, at) => own[at], shortest);
  const end = countShared((own, at) => own[own.length - 1 - at], shortest - start);
  return start + end === shortest ? { start: 0, end: 0 } : { start, end };
}

/** @param about prefix that names the set if the step does not: "math: " */
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

/** The first few of some questions, and how many more there are. */
export const nameSome = (ids: readonly string[]): string => listShortly(ids.map((id) => JSON.stringify(id)));
