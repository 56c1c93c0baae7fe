import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEditHistory, type HistoricEdit } from "./edit-history.ts";
import type { NotebookFile } from "./notebook-file.ts";
import { parseNotebook } from "./parse-notebook.ts";

/** What editors, people and other programs write: foreign types, odd attributes, blanks and line ends. */
const TEXT = `<!doctype html>
<notebook theme="air">
  <title>Odd</title>
  <script id="5" type="text/x-python" data-note="a>b is disabled id here" hidden>
\t  import this

  </script>
  <!-- between -->
  <SCRIPT type='text/x-typescript'   disabled="disabled" pinned>


    const a = 1;\t
  \t
      const b = 2;</SCRIPT><script type="module">c</script>
  <script id="2" data-format="csv" type="text/markdown" ID=9>\r
    # One\r
    two
    three\r
  </script>

  <script id="7">   </script>
</notebook>
`;
const CODE = fc.string({
  unit: fc.constantFrom("a", " ", "\t", "\n", "\r\n", "</script>", "<!--", "é", "#"),
});

/** A number picks the cell and the place; the edit is made from the file as it then is. */
const STEP = fc.record({
  kind: fc.constantFrom("source", "disable", "delete", "move", "add"),
  cell: fc.nat(20),
  place: fc.nat(20),
  source: CODE,
});
type Step = typeof STEP extends fc.Arbitrary<infer Value> ? Value : never;

/** An edit and what takes it back, as the page would send it. */
function plan(
  file: NotebookFile,
  step: Step,
): readonly [HistoricEdit, HistoricEdit | "delete the new one"] | null {
  const { cells } = file;
  const cell = cells[step.cell % Math.max(1, cells.length)];
  const others = cells.filter((each) => each !== cell);
  const after = [null, ...others.map(({ id }) => id)][step.place % (others.length + 1)] as number | null;
  if (step.kind === "add") {
    const add = { kind: "add", after: cell?.id ?? null, cellKind: "ts", source: step.source } as const;
    return [add, "delete the new one"];
  }
  if (cell === undefined) return null;
  const { id, source, disabled } = cell;
  switch (step.kind) {
    case "source":
      return [
        { kind: "source", id, source: step.source },
        { kind: "source", id, source },
      ];
    case "disable":
      return [
        { kind: "disable", id, disabled: !disabled },
        { kind: "disable", id, disabled },
      ];
    case "move":
      return [
        { kind: "move", id, after },
        { kind: "move", id, after: cells[cells.indexOf(cell) - 1]?.id ?? null },
      ];
    default:
      return [
        { kind: "delete", id },
        { kind: "restore", id },
      ];
  }
}

describe("createEditHistory", () => {
  it.each([TEXT, TEXT.replaceAll("\n", "\r\n"), TEXT.replaceAll("\n", "\r")])(
    "gives the very bytes back when edits are taken back (line ends %#)",
    (text) => {
      fc.assert(
        fc.property(fc.array(STEP, { maxLength: 8 }), (steps) => {
          const history = createEditHistory();
          let file = parseNotebook(text);
          const undo: HistoricEdit[] = [];
          for (const step of steps) {
            const planned = plan(file, step);
            if (planned === null) continue;
            const known = new Set(file.cells.map(({ id }) => id));
            file = history.edit(file, planned[0]);
            const id = file.cells.find((cell) => !known.has(cell.id))?.id as number;
            undo.push(planned[1] === "delete the new one" ? { kind: "delete", id } : planned[1]);
          }
          for (const edit of undo.reverse()) file = history.edit(file, edit);
          expect(file.text).toBe(text);
        }),
        { seed: 15, numRuns: 300 },
      );
    },
  );

  it("keeps a foreign cell's type and attributes through deletion and undo, also after somebody else's change", () => {
    const history = createEditHistory();
    const without = history.edit(parseNotebook(TEXT), { kind: "delete", id: 5 });
    expect(without.text).not.toContain("x-python");
    expect(history.edit(without, { kind: "restore", id: 5 }).text).toBe(TEXT);

    const again = createEditHistory();
    const deleted = again.edit(parseNotebook(TEXT), { kind: "delete", id: 5 });
    const changed = parseNotebook(deleted.text.replace("c</script>", "changed</script>"));
    again.forgetTexts();
    const restored = again.edit(changed, { kind: "restore", id: 5 });
    expect(restored.text).toContain("changed</script>");
    const element = TEXT.slice(TEXT.indexOf('<script id="5"'), TEXT.indexOf("  <!-- between"));
    expect(restored.text).toContain(element);
    expect(restored.cells.map(({ id, type }) => [id, type])[0]).toEqual([5, "text/x-python"]);
  });

  it("gives a restored cell a new number where its own is taken", () => {
    const history = createEditHistory();
    const text =
      '<notebook>\n  <script id="1">a</script>\n  <script id="2" type="text/x-python" data-a="x>y">b</script>\n</notebook>\n';
    const deleted = history.edit(parseNotebook(text), { kind: "delete", id: 2 });
    const other = parseNotebook(
      deleted.text.replace("</notebook>", '  <script id="2">new</script>\n</notebook>'),
    );
    const restored = history.edit(other, { kind: "restore", id: 2 });
    expect(restored.cells.map(({ id, source }) => [id, source])).toEqual([
      [1, "a"],
      [3, "b"],
      [2, "new"],
    ]);
    expect(restored.text).toContain('<script id="3" type="text/x-python" data-a="x>y">b</script>');
    expect(() => history.edit(restored, { kind: "restore", id: 2 })).toThrow("cannot be restored");
  });
});

it("changes the edited line of a cell with mixed line ends and no other", () => {
  const file = parseNotebook("<notebook><script>\r\n  a\n  b\r\n  c\n</script></notebook>");
  expect(createEditHistory().edit(file, { kind: "source", id: 1, source: "a\nB\nc" }).text).toBe(
    "<notebook><script>\r\n  a\n  B\r\n  c\n</script></notebook>",
  );
});

it("takes an attribute out of a tag, and not out of another one's value", () => {
  const file = parseNotebook(
    '<notebook><script id="1" data-note="is disabled now" disabled>x</script></notebook>',
  );
  expect(createEditHistory().edit(file, { kind: "disable", id: 1, disabled: false }).text).toBe(
    '<notebook><script id="1" data-note="is disabled now">x</script></notebook>',
  );
});
