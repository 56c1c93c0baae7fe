import { type Answer, type ListAnswer, quantity, type SetAnswer } from "./answer.ts";
import { assignmentOf } from "./assignment.ts";

/** Whether two items are the same. */
export type Same = (a: Answer, b: Answer) => boolean;

type Tuple = Extract<Answer, { kind: "tuple" }>;
type Matrix = Extract<Answer, { kind: "matrix" }>;

/** What a set or list holds, and whether the order says anything. */
export interface Contents {
  readonly items: readonly Answer[];
  /** The items have different names, as in `x = 1, y = 2`, so that each has its place. */
  readonly ordered: boolean;
}

/**
 * The values in a list. Items of one name, `x = 1 or x = 2` and `x_1 = 1, x_2 = 2`, are the solutions of an
 * equation and have no order; lists within it, as ± makes them, are opened; `k \in \mathbb{Z}` beside a formula is
 * left out.
 */
export function contentsOf({ items: written }: ListAnswer | SetAnswer): Contents {
  const items = written.flatMap((item) => (item.kind === "list" ? item.items : [item]));
  const said = items.filter((item) => !isDomain(item));
  const names = new Set<string>();
  const values = (said.length === 0 ? items : said).map((item) => {
    const assignment = item.kind === "relation" ? assignmentOf(item) : null;
    if (assignment !== null) names.add(assignment.name.replace(/_.*/, ""));
    return assignment?.value ?? item;
  });
  return {
    items: values.flatMap((value) => (value.kind === "list" ? value.items : [value])),
    ordered: names.size > 1,
  };
}

const isDomain = (item: Answer): boolean => item.kind === "relation" && item.operators.includes("in");

/** Every item of one has its like in the other. */
export function sameUnordered(a: readonly Answer[], b: readonly Answer[], same: Same): boolean {
  if (a.length > MAX_ITEMS || b.length > MAX_ITEMS) return false;
  return (
    a.every((item) => b.some((other) => same(item, other))) &&
    b.every((item) => a.some((other) => same(item, other)))
  );
}

/** All pairs of longer lists would take too long. */
const MAX_ITEMS = 40;

export const sameOrdered = (a: readonly Answer[], b: readonly Answer[], same: Same): boolean =>
  a.length === b.length && a.every((item, at) => same(item, b[at] as Answer));

/** Two of a set, a list, a tuple and a matrix; `1, 2` is both {1, 2} and (1, 2), which are not the same. */
export function sameCollection(a: Answer, b: Answer, same: Same): boolean {
  if (a.kind === "tuple") return sameAsTuple(a, b, same);
  if (b.kind === "tuple") return sameAsTuple(b, a, same);
  const [contentsA, contentsB] = [contents(a), contents(b)];
  if (contentsA === null || contentsB === null) return false;
  return contentsA.ordered || contentsB.ordered
    ? sameOrdered(contentsA.items, contentsB.items, same)
    : sameUnordered(contentsA.items, contentsB.items, same);
}

/** Of a single answer, it is that answer: {5} is 5. */
function contents(answer: Answer): Contents | null {
  if (answer.kind === "set" || answer.kind === "list") return contentsOf(answer);
  return answer.kind === "quantity" ? { items: [answer], ordered: false } : null;
}

function sameAsTuple(tuple: Tuple, other: Answer, same: Same): boolean {
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
      (row, at) => row.kind === "tuple" && sameOrdered(row.items, cells[at] as Answer[], same),
    )
  );
}
