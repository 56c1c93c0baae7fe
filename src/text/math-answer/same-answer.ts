import type { Answer } from "./answer.ts";
import { spend, type Work } from "./arithmetic.ts";
import { assignmentOf } from "./assignment.ts";
import { REAL_LINE, sameRegion } from "./region.ts";
import { regionOf, unknownOf } from "./region-of.ts";
import { type Same, sameCollection, sameUnordered } from "./same-collection.ts";
import { sameQuantity, sameValue } from "./same-quantity.ts";
import { sameRelation } from "./same-relation.ts";
import { sameText, saysAll, saysEmpty } from "./same-text.ts";

/**
 * Whether two answers say the same; `mathEquivalent` has the rules.
 * @param work what is left to spend; with nothing left, what is not yet decided is not the same
 */
export function sameAnswer(a: Answer, b: Answer, work: Work): boolean {
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

function sameWords(a: Answer, b: Answer, work: Work): boolean {
  if (a.kind === "text" && b.kind === "text") return sameText(a.text, b.text);
  const [said, other] = a.kind === "text" ? [a, b] : [b, a];
  const region =
    said.kind === "text" && (saysEmpty(said.text) || saysAll(said.text)) ? regionOf(other, work) : null;
  if (region === null || said.kind !== "text") return false;
  return sameRegion(region, saysEmpty(said.text) ? [] : REAL_LINE);
}

/** By the letter where both have one, else by what the letter stands for. */
function sameChoice(a: Answer, b: Answer, same: Same): boolean {
  const [letterA, letterB] = [letterOf(a), letterOf(b)];
  if (letterA !== null && letterB !== null) return letterA === letterB;
  return same(a.kind === "choice" ? a.content : a, b.kind === "choice" ? b.content : b);
}

function letterOf(answer: Answer): string | null {
  if (answer.kind === "choice") return answer.letter;
  const isLetter = answer.kind === "quantity" && answer.expression.kind === "symbol" && answer.unit === "";
  const name = isLetter && answer.expression.kind === "symbol" ? answer.expression.name : "";
  return name.length === 1 ? name.toUpperCase() : null;
}

function sameRelations(a: Answer, b: Answer, work: Work, same: Same): boolean {
  const [nameA, nameB] = [a, b].map((each) => (each.kind === "relation" ? assignmentOf(each) : null));
  if (a.kind === "relation" && b.kind === "relation") {
    if (nameA && nameB && nameA.name === nameB.name && same(nameA.value, nameB.value)) return true;
    if (sameRelation(a, b, work)) return true;
    const unknown = unknownOf(a);
    return unknown !== null && unknown === unknownOf(b) && sameAsRegions(a, b, work);
  }
  const assigned = nameA ?? nameB;
  if (assigned && same(assigned.value, a.kind === "relation" ? b : a)) return true;
  return sameAsRegions(a, b, work);
}

/** As sets of real numbers: inequalities, intervals, and what unions and differences make of them. */
function sameAsRegions(a: Answer, b: Answer, work: Work): boolean {
  const [regionA, regionB] = [regionOf(a, work), regionOf(b, work)];
  return regionA !== null && regionB !== null && sameRegion(regionA, regionB);
}

/** Unions whose ends are symbols, in any order. */
function sameUnion(a: Answer, b: Answer, same: Same): boolean {
  const [partsA, partsB] = [unitedParts(a), unitedParts(b)];
  return partsA.length > 1 && partsB.length > 1 && sameUnordered(partsA, partsB, same);
}

const unitedParts = (answer: Answer): readonly Answer[] =>
  answer.kind === "operation" && answer.operator === "union"
    ? [...unitedParts(answer.left), ...unitedParts(answer.right)]
    : [answer];

/** `3,14` is 3 and 14, but next to a single number it is 3.14. */
function sameWithDecimalComma(a: Answer, b: Answer, work: Work): boolean {
  const [list, number] = a.kind === "list" ? [a, b] : [b, a];
  if (list.kind !== "list" || list.decimal === undefined || number.kind !== "quantity") return false;
  return sameQuantity(list.decimal, number, work);
}
