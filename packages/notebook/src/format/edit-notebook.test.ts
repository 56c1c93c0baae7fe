import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { editNotebook, nextCellId } from "./edit-notebook.ts";
import { tidySource } from "./notebook-file.ts";
import { cellRevision, parseNotebook } from "./parse-notebook.ts";

const TEXT = `<!doctype html>
<!-- kept: <script id="9">not a cell</script> -->
<notebook theme="air" data-mine='x > y'>
  <title>Tea &amp; toast</title>
  <script id="1" type="text/markdown" pinned>
    # Hello

      indented
  </script>
  <!-- between -->
  <script id='7' type="text/x-typescript" data-note="a>b">
    const k: number = 3;
\t
    const text = "<\\/script>";
  </script>
  <script>1 + 1</script>
  <script id="3" type="application/sql" disabled>
    select 1
  </script>
</notebook>
<!-- after -->
`;

const sources = (text: string): string[] => parseNotebook(text).cells.map(({ source }) => source);

/** The lines of `after` that `before` has not, and the other way round. */
function changedLines(before: string, after: string): string[] {
  const a = before.split("\n");
  const b = after.split("\n");
  return [
    ...a.filter((line) => !b.includes(line)).map((line) => `-${line}`),
    ...b.filter((line) => !a.includes(line)).map((line) => `+${line}`),
  ];
}

describe("parseNotebook", () => {
  it("reads kinds, ids, sources and the title", () => {
    const { title, cells } = parseNotebook(TEXT);
    expect(title).toBe("Tea & toast");
    expect(cells.map(({ id, kind, disabled }) => [id, kind, disabled])).toEqual([
      [1, "markdown", false],
      [7, "ts", false],
      [8, "js", false],
      [3, "unsupported", true],
    ]);
    expect(sources(TEXT)).toEqual([
      "# Hello\n\n  indented",
      'const k: number = 3;\n\nconst text = "</script>";',
      "1 + 1",
      "select 1",
    ]);
  });

  it.each([
    ["no notebook", "<html></html>", "has no <notebook> element"],
    ["an open cell", "<notebook>\n<script>1", "line 2 has no </script>"],
  ])("refuses %s", (_name, text, message) => {
    expect(() => parseNotebook(text)).toThrow(message);
  });

  it("reads anything without hanging or breaking", () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom(
            "<",
            ">",
            "/",
            "script",
            "notebook",
            "!--",
            "-->",
            '"',
            "'",
            "=",
            "a",
            " ",
            "\n",
          ),
        }),
        (inner) => {
          const text = `<notebook>${inner}</notebook>`;
          try {
            expect(parseNotebook(text).text).toBe(text);
          } catch (error) {
            expect((error as { code?: string }).code).toBe("bad-notebook");
          }
        },
      ),
      { seed: 7, numRuns: 500 },
    );
  });
});

describe("editNotebook", () => {
  const file = parseNotebook(TEXT);

  it("changes the edited lines and nothing else", () => {
    const edited = editNotebook(file, {
      kind: "source",
      id: 7,
      source: 'const k: number = 4;\n\nconst text = "</script>";',
    });
    expect(changedLines(TEXT, edited.text)).toEqual([
      "-    const k: number = 3;",
      "+    const k: number = 4;",
    ]);
    expect(edited.cells[1]?.source).toContain("= 4");
  });

  it("gives the same bytes for the same source", () => {
    for (const { id, source } of file.cells)
      expect(editNotebook(file, { kind: "source", id, source }).text).toBe(TEXT);
  });

  it("adds, moves, deletes and disables", () => {
    const added = editNotebook(file, {
      kind: "add",
      id: nextCellId(file),
      after: 1,
      cellKind: "js",
      source: "x",
    });
    expect(added.cells.map(({ id }) => id)).toEqual([1, 9, 7, 8, 3]);
    expect(editNotebook(added, { kind: "delete", id: 9 }).text).toBe(
      TEXT.replace("<script>1", '<script id="8">1'),
    );
    const moved = editNotebook(file, { kind: "move", id: 7, after: 8 });
    expect(moved.cells.map(({ id }) => id)).toEqual([1, 8, 7, 3]);
    expect(editNotebook(file, { kind: "move", id: 7, after: null }).cells.map(({ id }) => id)).toEqual([
      7, 1, 8, 3,
    ]);
    const disabled = editNotebook(file, { kind: "disable", id: 7, disabled: true });
    expect(disabled.cells[1]?.disabled).toBe(true);
    expect(editNotebook(disabled, { kind: "disable", id: 7, disabled: false }).text).toBe(TEXT);
  });

  it("adds the first cell of an empty notebook", () => {
    const empty = parseNotebook("<notebook>\n</notebook>\n");
    expect(
      editNotebook(empty, { kind: "add", id: 1, after: null, cellKind: "ts", source: "a\nb" }).text,
    ).toBe(
      '<notebook>\n  <script id="1" type="text/x-typescript" pinned>\n    a\n    b\n  </script>\n</notebook>\n',
    );
  });

  it("keeps the line ends of the file", () => {
    const windows = parseNotebook("<notebook>\r\n  <script>\r\n    a\r\n    b\r\n  </script>\r\n</notebook>");
    expect(editNotebook(windows, { kind: "source", id: 1, source: "a\nc\nd" }).text).toBe(
      "<notebook>\r\n  <script>\r\n    a\r\n    c\r\n    d\r\n  </script>\r\n</notebook>",
    );
  });

  it("names the cell that is not there", () => {
    expect(() => editNotebook(file, { kind: "delete", id: 99 })).toThrow(
      "There is no cell 99, expected one of 1, 7, 8, 3",
    );
  });

  it("reads back every source it writes, and leaves every other cell alone", () => {
    const unit = fc.constantFrom("a", " ", "\t", "\n", "</script>", "<\\/script>", "<!--", "-->", "`", "é");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(1, 7, 8, 3), fc.string({ unit })), { maxLength: 5 }),
        (edits) => {
          let now = file;
          for (const [id, source] of edits) {
            const others = now.cells.filter((cell) => cell.id !== id).map(cellRevision);
            now = editNotebook(now, { kind: "source", id, source });
            expect(now.cells.find((cell) => cell.id === id)?.source).toBe(tidySource(source));
            expect(now.cells.filter((cell) => cell.id !== id).map(cellRevision)).toEqual(others);
          }
        },
      ),
      { seed: 11, numRuns: 500 },
    );
  });
});
