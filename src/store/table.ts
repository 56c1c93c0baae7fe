/** A cell: null where there is nothing. */
export type Cell = string | number | boolean | null;

/** One named column; NaN never stands in it, null does. */
export interface TableColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean";
  readonly cells: readonly Cell[];
}

/**
 * A column of whatever type its cells are; where all are null, of numbers.
 * @param values NaN and undefined become null
 * @throws TypeError for cells of several types
 */
export function makeColumn(name: string, values: readonly (Cell | undefined)[]): TableColumn {
  const cells = values.map((value) => (value === undefined || Number.isNaN(value) ? null : value));
  const types = new Set(cells.flatMap((cell) => (cell === null ? [] : [typeof cell])));
  if (types.size > 1) throw new TypeError(`column "${name}" has ${[...types].join(" and ")}`);
  const [type = "number"] = types;
  if (type !== "number") return { name, type: type as "string" | "boolean", cells };
  const isWhole =
    cells.some((cell) => cell !== null) && cells.every((cell) => cell === null || isInt32(cell as number));
  return { name, type: isWhole && !MEASURED.test(name) ? "integer" : "number", cells };
}

const isInt32 = (value: number): boolean => (value | 0) === value;
/** A measure that happens to be whole everywhere is still a number: the type must not depend on the data. */
const MEASURED =
  /entropy|probe|risk|nll|score|eig|degree|eccentric|likelihood|perplexity|p_false|rouge|kernel/;
