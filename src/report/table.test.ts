import { csvParse } from "d3-dsv";
import { describe, expect, it } from "vitest";
import { makeReportContent } from "../../test/fakes/make-report.ts";
import { listTableNames, listTables, makeTables } from "./evaluation-tables.ts";
import { formatTable, type Table } from "./table.ts";

const TABLE: Table = {
  name: "small",
  title: "50% of a_b & c",
  columns: [
    { title: "Score | name", key: "score", align: "left" },
    { title: "AUROC", key: "auroc" },
  ],
  rows: [
    {
      group: "First",
      cells: [
        { text: "x_1", value: "x" },
        { text: "0.900", value: 0.9, mark: "best" },
      ],
    },
    {
      cells: [
        { text: "y|z", value: "y" },
        { text: "−0.1", value: -0.1, mark: "missed" },
      ],
    },
    {
      group: "Last",
      cells: [
        { text: "w", value: "w" },
        { text: "none", value: null },
      ],
    },
  ],
  note: "A note",
};

describe("formatTable", () => {
  it("as CSV has values in full, and the group of each row", () => {
    expect(formatTable(TABLE, "csv")).toBe("group,score,auroc\nFirst,x,0.9\nFirst,y,-0.1\nLast,w,\n");
  });

  it("as LaTeX is a float with booktabs, all special characters escaped", () => {
    const lines = formatTable(TABLE, "tex").split("\n");
    expect(lines).toContain(
      "  \\caption{50\\% of a\\_b \\& c. A note. \\dag{} marks a target that was missed.}",
    );
    expect(lines).toContain("  \\begin{tabular}{lr}");
    expect(lines).toContain("    x\\_1 & \\textbf{0.900} \\\\");
    expect(lines).toContain("    y|z & $-$0.1\\textsuperscript{\\dag} \\\\");
    expect(lines.filter((line) => /toprule|midrule|bottomrule/.test(line))).toHaveLength(3);
    expect(lines.join("")).not.toMatch(/[≤≥−†×]/);
  });

  it("as Markdown has as many cells in every line", () => {
    const lines = formatTable(TABLE, "md").split("\n");
    expect(lines).toContain("| Score \\| name | AUROC |");
    expect(lines).toContain("| --- | ---: |");
    expect(lines).toContain("| x_1 | **0.900** |");
    expect(lines).toContain("| y\\|z | −0.1 † |");
    for (const line of lines.filter((each) => each.startsWith("|")))
      expect(line.replaceAll("\\|", "").match(/\|/g)).toHaveLength(3);
  });
});

describe("makeTables", () => {
  const { evaluation } = makeReportContent("");
  const tables = listTables(makeTables(evaluation));

  it("are those that are listed, each row as wide as its head", () => {
    expect(tables.map(({ name }) => name).sort()).toEqual(listTableNames(true).sort());
    for (const { name, columns, rows } of tables)
      for (const { cells } of rows) expect(cells.length, name).toBe(columns.length);
  });

  it("hold the numbers of the evaluation, the best of a column marked", () => {
    const scores = tables.find(({ name }) => name === "scores-test")!;
    const rows = csvParse(formatTable(scores, "csv"));
    const found = rows.find(({ score }) => score === "accuracy_probe")!;
    expect(Number(found.auroc)).toBe(evaluation.math_test.auc_accuracy_probe);
    expect(Number(found.augrc)).toBe(evaluation.math_test.rejection.accuracy_probe!.augrc);
    const best = scores.rows
      .filter(({ cells }) => cells[1]!.mark === "best")
      .map(({ cells }) => cells[1]!.value);
    expect(best).toEqual([Math.max(...rows.map(({ auroc }) => Number(auroc)))]);
    // lower is better
    const least = scores.rows
      .filter(({ cells }) => cells[6]!.mark === "best")
      .map(({ cells }) => cells[6]!.value);
    expect(least).toEqual([Math.min(...rows.map(({ augrc }) => Number(augrc)))]);
  });
});
