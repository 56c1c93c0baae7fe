import { writeAtomic } from "./write-atomic.ts";

/** A cell: null if there is nothing. */
export type TableCell = string | number | boolean | null;

/** One named column; it contains null, never NaN. */
export interface TableColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean";
  readonly cells: readonly TableCell[];
}

/**
 * A column of whatever type its cells are; where all are null, of numbers.
 * @param values  NaN and undefined become null
 * @param isCount whether the numbers are counts; integers by chance say nothing about the next table
 * @throws TypeError for cells of several types
 */
export function makeColumn(
  name: string,
  values: readonly (TableCell | undefined)[],
  { isCount = false }: { readonly isCount?: boolean } = {},
): TableColumn {
  const cells = values.map((value) => (value === undefined || Number.isNaN(value) ? null : value));
  const types = new Set(cells.flatMap((cell) => (cell === null ? [] : [typeof cell])));
  if (types.size > 1) throw new TypeError(`column "${name}" has ${[...types].join(" and ")}`);
  const [type = "number"] = types as ReadonlySet<"string" | "boolean" | "number">;
  return { name, type: type === "number" && isCount ? "integer" : type, cells };
}

export const TABLE_FORMATS = ["parquet", "csv", "jsonl"] as const;
type TableFormat = (typeof TABLE_FORMATS)[number];

const PARQUET_TYPES = {
  string: "STRING",
  integer: "INT32",
  number: "DOUBLE",
  boolean: "BOOLEAN",
} as const satisfies Record<TableColumn["type"], string>;

/**
 * Writes a table, all or nothing. In CSV, a cell that is null is empty, and the text that is empty is quoted; a text
 * with a comma, quote or line break is quoted as RFC 4180 has it. In JSONL, null stays null.
 */
export async function writeTable(
  path: string,
  columns: readonly TableColumn[],
  format: TableFormat,
): Promise<void> {
  const count = columns[0]?.cells.length ?? 0;
  const rows = Array.from({ length: count }, (_, row) => columns.map(({ cells }) => cells[row] ?? null));
  if (format === "parquet") {
    const { parquetWriteBuffer } = await import("hyparquet-writer");
    const columnData = columns.map(({ name, type, cells }) => ({
      name,
      type: PARQUET_TYPES[type],
      data: [...cells],
      nullable: true,
    }));
    return writeAtomic(path, new Uint8Array(parquetWriteBuffer({ columnData })));
  }
  const lines =
    format === "csv"
      ? [columns.map(({ name }) => quote(name)), ...rows.map((cells) => cells.map(quote))].map((cells) =>
          cells.join(","),
        )
      : rows.map((cells) =>
          JSON.stringify(Object.fromEntries(columns.map(({ name }, i) => [name, cells[i]]))),
        );
  return writeAtomic(path, lines.map((line) => `${line}\n`).join(""));
}

function quote(cell: string | number | boolean | null): string {
  if (cell === null) return "";
  const text = String(cell);
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
