import { SepError } from "../errors.ts";
import type { QuestionSplit } from "../probes/split-questions.ts";
import { loadQuestions } from "../samples/load-questions.ts";
import type { Question } from "../samples/question.ts";
import { fileExists } from "../store/read-file.ts";
import { showShortly } from "../text/shorten.ts";
import { groupDuplicates, nameSome } from "./question-overlap.ts";
import type { Workspace } from "./workspace.ts";

type Part = keyof QuestionSplit;

/**
 * The split that the questions of a set come with.
 * @returns ids of each part, sorted; null where no question names one
 * @throws SepError `bad-split` for questions without a part among others with one, for an unknown part, for a part without
 * questions, and for a question whose duplicate, word for word or nearly so, is in another part
 */
export function readGivenSplit(questions: readonly Question[]): QuestionSplit | null {
  if (questions.every(({ split }) => split === undefined)) return null;
  const partOf = new Map<string, Part>();
  const without: string[] = [];
  const unknown = new Map<string, string>();
  for (const { id, split } of questions) {
    const part = split === undefined ? undefined : PART_OF_NAME.get(split.toLowerCase());
    if (split === undefined) without.push(id);
    else if (part === undefined) unknown.set(id, split);
    else partOf.set(id, part);
  }
  if (without.length > 0)
    throw badSplit(
      `${without.length} of ${questions.length} questions have no split, while the others have one: ${nameSome(without)}`,
    );
  if (unknown.size > 0) {
    const [[id, found]] = [...unknown] as [[string, string]];
    throw badSplit(
      `${unknown.size} questions have an unknown split, such as ${JSON.stringify(id)} with ${showShortly(found, 40)}; expected train, validation, calibration or test`,
    );
  }
  const parts: Record<Part, string[]> = { train: [], val: [], test: [] };
  for (const [id, part] of partOf) parts[part].push(id);
  const empty = PARTS.filter((part) => parts[part].length === 0);
  if (empty.length > 0)
    throw badSplit(
      `no question is in ${empty.map((part) => TITLES[part]).join(" or in ")}; check --limit, which takes the first questions`,
    );
  requireApart(questions, partOf);
  return { train: parts.train.sort(), val: parts.val.sort(), test: parts.test.sort() };
}

/** The same of a study's first set, as it is prepared; null if there is no such file. */
export async function readStudySplit(workspace: Workspace): Promise<QuestionSplit | null> {
  const path = workspace.raw("math");
  return (await fileExists(path)) ? readGivenSplit((await loadQuestions(path)).questions) : null;
}

const PARTS: readonly Part[] = ["train", "val", "test"];

const TITLES: Readonly<Record<Part, string>> = { train: "train", val: "validation", test: "test" };

const PART_OF_NAME: ReadonlyMap<string, Part> = new Map([
  ["train", "train"],
  ["training", "train"],
  ["val", "val"],
  ["validation", "val"],
  ["calibration", "val"],
  ["dev", "val"],
  ["test", "test"],
]);

/** A question on both sides of a split would be learned by heart and then counted as new. */
function requireApart(questions: readonly Question[], partOf: ReadonlyMap<string, Part>): void {
  const { groupOf } = groupDuplicates(new Map(questions.map(({ id, question }) => [id, question])));
  const members = new Map<string, string[]>();
  for (const [id, group] of groupOf) members.set(group, [...(members.get(group) ?? []), id]);
  const torn = [...members.values()].filter((ids) => new Set(ids.map((id) => partOf.get(id))).size > 1);
  const [first] = torn;
  if (first === undefined) return;
  const listed = PARTS.flatMap((part) => {
    const own = first.filter((id) => partOf.get(id) === part);
    return own.length === 0 ? [] : [`${nameSome(own)} in ${TITLES[part]}`];
  });
  const others = torn.length === 1 ? "" : `, and ${torn.length - 1} more like it`;
  throw badSplit(
    `the same question, word for word or nearly so, is in more than one part: ${listed.join(", ")}${others}`,
  );
}

const badSplit = (what: string): SepError =>
  new SepError(
    "bad-split",
    `The split of the questions cannot be used: ${what}. Correct the split column, or split anew with --split-ratios 0.7,0.15,0.15.`,
  );
