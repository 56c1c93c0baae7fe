import { spend, type Work } from "./evaluate.ts";
import { assignmentOf, type ListAnswer, type MathAnswer, quantity, type SetAnswer } from "./expression.ts";
import { REAL_LINE, regionOf, sameRegion, unknownOf } from "./region.ts";
import { sameQuantity, sameRelation, sameValue } from "./same-quantity.ts";

/**
 * Whether two answers say the same; `mathEquivalent` has the rules.
 * @param work what is left to spend; with nothing left, what is not yet decided is not the same
 */
export function sameAnswer(a: MathAnswer, b: MathAnswer, work: Work): boolean {
  const same: Same = (x, y) => sameAnswer(x, y, work);
  if (!spend(work, COMPARISON)) return false;
  if (a.kind === "text" || b.kind === "text") return sameWords(a, b, work);
  if (a.kind === "choice" || b.kind === "choice") return sameChoice(a, b, same);
  if (a.kind === "relation" || b.kind === "relation") return sameRelations(a, b, work, same);
  if (a.kind === "quantity" && b.kind === "quantity") return sameQuantity(a, b, work);
  if (a.kind === "matrix" && b.kind === "matrix") {
    return (
      a.rows.length === b.rows.length &&
      a.rows.every(
        (row, at) =>
          row.length === b.rows[at]?.length &&
          row.every((cell, column) => {
            const other = b.rows[at]?.[column];
            return other !== undefined && sameValue(cell, other, work);
          }),
      )
    );
  }
  return (
    sameCollection(a, b, same) ||
    sameWithDecimalComma(a, b, work) ||
    sameAsRegions(a, b, work) ||
    sameUnion(a, b, same)
  );
}

/** Units of work for what comes before any number is worked out. */
const COMPARISON = 5;

function sameWords(a: MathAnswer, b: MathAnswer, work: Work): boolean {
  if (a.kind === "text" && b.kind === "text") return sameText(a.text, b.text);
  const [said, other] = a.kind === "text" ? [a, b] : [b, a];
  const region =
    said.kind === "text" && (saysEmpty(said.text) || saysAll(said.text)) ? regionOf(other, work) : null;
  if (region === null || said.kind !== "text") return false;
  return sameRegion(region, saysEmpty(said.text) ? [] : REAL_LINE);
}

/** By the letter where both have one, else by what the letter stands for. */
function sameChoice(a: MathAnswer, b: MathAnswer, same: Same): boolean {
  const [letterA, letterB] = [letterOf(a), letterOf(b)];
  if (letterA !== null && letterB !== null) return letterA === letterB;
  return same(a.kind === "choice" ? a.content : a, b.kind === "choice" ? b.content : b);
}

function letterOf(answer: MathAnswer): string | null {
  if (answer.kind === "choice") return answer.letter;
  const isLetter = answer.kind === "quantity" && answer.expression.kind === "symbol" && answer.unit === "";
  const name = isLetter && answer.expression.kind === "symbol" ? answer.expression.name : "";
  return name.length === 1 ? name.toUpperCase() : null;
}

function sameRelations(a: MathAnswer, b: MathAnswer, work: Work, same: Same): boolean {
  const [nameA, nameB] = [a, b].map((each) => (each.kind === "relation" ? assignmentOf(each) : null));
  if (a.kind === "relation" && b.kind === "relation") {
    if (nameA && nameB && nameA.name === nameB.name && same(nameA.value, nameB.value)) return true;
    return sameRelation(a, b, work) || sameAsRegions(a, b, work);
  }
  const assigned = nameA ?? nameB;
  if (assigned && same(assigned.value, a.kind === "relation" ? b : a)) return true;
  return sameAsRegions(a, b, work);
}

/** As sets of real numbers: inequalities, intervals, and what unions and differences make of them. */
function sameAsRegions(a: MathAnswer, b: MathAnswer, work: Work): boolean {
  const [unknownA, unknownB] = [unknownOf(a), unknownOf(b)];
  if (unknownA !== null && unknownB !== null && unknownA !== unknownB) return false;
  const [regionA, regionB] = [regionOf(a, work), regionOf(b, work)];
  return regionA !== null && regionB !== null && sameRegion(regionA, regionB);
}

/** Unions whose ends are symbols, in any order. */
function sameUnion(a: MathAnswer, b: MathAnswer, same: Same): boolean {
  const [partsA, partsB] = [unitedParts(a), unitedParts(b)];
  return partsA.length > 1 && partsB.length > 1 && sameUnordered(partsA, partsB, same);
}

const unitedParts = (answer: MathAnswer): readonly MathAnswer[] =>
  answer.kind === "operation" && answer.operator === "union"
    ? [...unitedParts(answer.left), ...unitedParts(answer.right)]
    : [answer];

/** `3,14` is 3 and 14, but next to a single number it is 3.14. */
function sameWithDecimalComma(a: MathAnswer, b: MathAnswer, work: Work): boolean {
  const [list, number] = a.kind === "list" ? [a, b] : [b, a];
  if (list.kind !== "list" || list.decimal === undefined || number.kind !== "quantity") return false;
  return sameQuantity(list.decimal, number, work);
}

/** Whether two items are the same. */
type Same = (a: MathAnswer, b: MathAnswer) => boolean;

type Tuple = Extract<MathAnswer, { kind: "tuple" }>;
type Matrix = Extract<MathAnswer, { kind: "matrix" }>;

/** What a set or list holds. */
interface Contents {
  readonly items: readonly MathAnswer[];
  /** As they are written, where they have different names: `x = 1, y = 2`. Then each value has its place. */
  readonly named: readonly MathAnswer[] | null;
}

/**
 * The values in a list. Items of one name, `x = 1 or x = 2` and `x_1 = 1, x_2 = 2`, are the solutions of an
 * equation and have no order; lists within it, as ± makes them, are opened; `k \in \mathbb{Z}` beside a formula is
 * left out.
 */
function contentsOf(collection: ListAnswer | SetAnswer): Contents {
  const items = collection.items.flatMap((item) => (item.kind === "list" ? item.items : [item]));
  const said = items.filter((item) => !isDomain(item));
  const names = new Set<string>();
  const written = said.length === 0 ? items : said;
  const values = written.map((item) => {
    const assignment = item.kind === "relation" ? assignmentOf(item) : null;
    if (assignment !== null) names.add(assignment.name.replace(/_.*/, ""));
    return assignment?.value ?? item;
  });
  return {
    items: values.flatMap((value) => (value.kind === "list" ? value.items : [value])),
    named: names.size > 1 ? written : null,
  };
}

const isDomain = (item: MathAnswer): boolean => item.kind === "relation" && item.operators.includes("in");

/** Every item of one has its like in the other. */
function sameUnordered(a: readonly MathAnswer[], b: readonly MathAnswer[], same: Same): boolean {
  if (a.length > MAX_ITEMS || b.length > MAX_ITEMS) return false;
  return (
    a.every((item) => b.some((other) => same(item, other))) &&
    b.every((item) => a.some((other) => same(item, other)))
  );
}

/** All pairs of longer lists would take too long. */
const MAX_ITEMS = 40;

const sameOrdered = (a: readonly MathAnswer[], b: readonly MathAnswer[], same: Same): boolean =>
  a.length === b.length && a.every((item, at) => same(item, b[at] as MathAnswer));

/** Two of a set, a list, a tuple and a matrix; `1, 2` is both {1, 2} and (1, 2), which are not the same. */
function sameCollection(a: MathAnswer, b: MathAnswer, same: Same): boolean {
  if (a.kind === "tuple") return sameAsTuple(a, b, same);
  if (b.kind === "tuple") return sameAsTuple(b, a, same);
  const [contentsA, contentsB] = [contents(a), contents(b)];
  if (contentsA === null || contentsB === null) return false;
  if (contentsA.named && contentsB.named) return sameUnordered(contentsA.named, contentsB.named, same);
  return contentsA.named || contentsB.named
    ? sameOrdered(contentsA.items, contentsB.items, same)
    : sameUnordered(contentsA.items, contentsB.items, same);
}

/** Of a single answer, it is that answer: {5} is 5. */
function contents(answer: MathAnswer): Contents | null {
  if (answer.kind === "set" || answer.kind === "list") return contentsOf(answer);
  return answer.kind === "quantity" ? { items: [answer], named: null } : null;
}

function sameAsTuple(tuple: Tuple, other: MathAnswer, same: Same): boolean {
  switch (other.kind) {
    case "tuple":
      // Of two numbers the brackets say whether the ends of an interval belong to it.
      return (
        sameOrdered(tuple.items, other.items, same) &&
        (tuple.items.length !== 2 || (tuple.open === other.open && tuple.close === other.close))
      );
    case "list":
      return sameOrdered(tuple.items, contentsOf(other).items, same);
    case "matrix":
      return sameAsVector(tuple, other, same);
    default:
      return false;
  }
}

/** A vector's components in a row or a column, or a matrix written as a tuple of its rows. */
function sameAsVector(tuple: Tuple, { rows }: Matrix, same: Same): boolean {
  const cells = rows.map((row) => row.map(quantity));
  if (cells.length === 1 || cells.every((row) => row.length === 1))
    return sameOrdered(tuple.items, cells.flat(), same);
  return (
    tuple.items.length === cells.length &&
    tuple.items.every(
      (row, at) => row.kind === "tuple" && sameOrdered(row.items, cells[at] as MathAnswer[], same),
    )
  );
}

/** The same words, articles aside, or two of the words for one thing. */
function sameText(a: string, b: string): boolean {
  const [plainA, plainB] = [plainText(a), plainText(b)];
  if (plainA === "") return a === b && a !== "";
  return plainA === plainB || (SYNONYMS.get(plainA) ?? a) === (SYNONYMS.get(plainB) ?? b);
}

/** Whether the words say that nothing is a solution, which is the empty set. */
const saysEmpty = (text: string): boolean => SYNONYMS.get(plainText(text)) === "no solution";

/** Whether the words say that every real number is a solution. */
const saysAll = (text: string): boolean => SYNONYMS.get(plainText(text)) === "all real numbers";

const plainText = (text: string): string =>
  text
    .replace(/\b(?:the|an|a) (?=\S)/g, "")
    .replace(/["'`]/g, "")
    .trim();

const SYNONYMS: ReadonlyMap<string, string> = new Map(
  [
    ["yes", "true", "correct"],
    ["no", "false", "incorrect"],
    ["no solution", "no solutions", "no real solution", "no real solutions", "empty set"],
    ["undefined", "does not exist", "dne", "not defined"],
    ["all real numbers", "all reals"],
  ].flatMap((group) => group.map((text) => [text, group[0] as string] as const)),
);
