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
 * @param values  NaN and undefined become null
 * @param isCount whether numbers are whole by their nature; that they happen to be says nothing about the next table
 * @throws TypeError for cells of several types
 */
export function makeColumn(
  name: string,
  values: readonly (Cell | undefined)[],
  { isCount = false }: { readonly isCount?: boolean } = {},
): TableColumn {
  const cells = values.map((value) => (value === undefined || Number.isNaN(value) ? null : value));
  const types = new Set(cells.flatMap((cell) => (cell === null ? [] : [typeof cell])));
  if (types.size > 1) throw new TypeError(`column "${name}" has ${[...types].join(" and ")}`);
  const [type = "number"] = types as ReadonlySet<"string" | "boolean" | "number">;
  return { name, type: type === "number" && isCount ? "integer" : type, cells };
}
