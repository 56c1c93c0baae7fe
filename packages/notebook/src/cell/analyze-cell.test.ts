import { runInThisContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { analyzeCell } from "./analyze-cell.ts";
import { BUILTIN_NAMES, compileCell } from "./cell-code.ts";

const TYPES = {
  js: "module",
  ts: "text/x-typescript",
  markdown: "text/markdown",
  html: "text/html",
  unsupported: "application/sql",
};
const analyze = (source: string, kind: keyof typeof TYPES = "ts") =>
  analyzeCell({ kind, type: TYPES[kind], source });

/** Runs a cell the way the kernel does; modules are named by their specifier. */
async function run(
  source: string,
  inputs: Readonly<Record<string, unknown>> = {},
  kind: keyof typeof TYPES = "ts",
) {
  const shown: unknown[] = [];
  const names = Object.keys(inputs);
  const compiled = compileCell(await analyze(source, kind), names);
  const call = runInThisContext(compiled?.code ?? "") as (
    ...values: unknown[]
  ) => Promise<Record<string, unknown>>;
  const builtins: Record<string, unknown> = {
    display: (value: unknown) => shown.push(value),
    md: String.raw,
  };
  const values = await call(
    ...names.map((name) => inputs[name]),
    ...BUILTIN_NAMES.map((name) => builtins[name]),
    async (specifier: string) => ({
      specifier,
      default: `default of ${specifier}`,
      named: `named of ${specifier}`,
    }),
    { url: "here" },
  );
  return { values, shown };
}

describe.each(["js", "ts"] as const)("analyzeCell, %s", (kind) => {
  it.each([
    ["const a = 1, { b, c: [d] } = x;", ["a", "b", "d"], ["x"]],
    ["function f(y) { return y + z; }\nclass G extends H {}", ["f", "G"], ["H", "z"]],
    ["for (const i of list) { var total = i; let inner = i; }", ["total"], ["list"]],
    ["import p, { q as r } from 'mod'; const s = await import('other');", ["p", "r", "s"], []],
    ["import * as all from 'mod'", ["all"], []],
    ["{ const hidden = a; }", [], ["a"]],
    ["const f = (a, b = c) => { try { d(); } catch (e) { e; } };", ["f"], ["c", "d"]],
    ["label: while (go) break label;", [], ["go"]],
    ["({ a, [b]: c.d })", [], ["a", "b", "c"]],
    ["// nothing", [], []],
    ["", [], []],
  ])("%s", async (source, defines, reads) => {
    const analysis = await analyze(source, kind);
    expect(analysis.problem).toBeNull();
    expect([...analysis.defines].sort()).toEqual([...defines].sort());
    expect([...analysis.reads].sort()).toEqual([...reads].sort());
  });

  it.each([
    ["const = 1", "SyntaxError", 1],
    ["const a = 1;\nconst b = ;", "SyntaxError", 2],
    ["export const a = 1;", "remove `export`", 1],
    ["let a = 1;\nother = a;", "other is not defined in this cell", 2],
    ["const display = 1;", "display is a name of the notebook", null],
  ])("refuses %s", async (source, message, line) => {
    const { problem, body } = await analyze(source, kind);
    expect(problem?.message).toContain(message);
    expect(problem?.line).toBe(line);
    expect(body).toBeNull();
  });

  it.each([
    ["1 + 1", [2]],
    ["x => x", [expect.any(Function)]],
    ["({ a: 1 })", [{ a: 1 }]],
    ["(1, 2) // said so", [2]],
    ["await Promise.resolve(3)", [3]],
    ["1 + 1;", []],
    ["const a = 1;\na + 1", [2]],
    ["const a = 1;\n(a)", [1]],
    ["const a = 1;\na + 1 // said so", [2]],
    ["const a = 1;\na + 1;", []],
    ["const a = 1;\n(await import('m')).specifier", ["m"]],
    ["const list = [1]\nlist.map((x) => x + 1)", [[2]]],
    ["'use strict'\nif (true) 3", []],
  ])("shows the value of %s", async (source, expected) => {
    expect((await run(source, {}, kind)).shown).toEqual(expected);
  });

  it("hands over what it defines, imports and their meta", async () => {
    const source =
      "import d, { named as n } from 'm';\nimport * as all from 'm';\nconst url = import.meta.url;\nconst late = (await import('l')).specifier;";
    const { values } = await run(source, {}, kind);
    expect(values).toEqual({
      d: "default of m",
      n: "named of m",
      all: expect.objectContaining({ specifier: "m" }),
      url: "here",
      late: "l",
    });
  });
});

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: cells of text have expressions
describe("analyzeCell", () => {
  it("takes types out, and keeps imports that only other cells use", async () => {
    const source =
      "import { named } from 'm';\nimport type { T } from 'm';\ninterface I { a: number }\nconst k: number = (x as number) satisfies number;";
    const analysis = await analyze(source);
    expect(analysis.defines).toEqual(["named", "k"]);
    expect(analysis.imports).toEqual(["m"]);
    expect((await run(source, { x: 4 })).values).toEqual({ named: "named of m", k: 4 });
  });

  it("reads the expressions of Markdown", async () => {
    const source = "# `code` and ${ { a: `}` }.a + (name) } costs $5 \\n ${ `${name}` }";
    expect((await analyze(source, "markdown")).reads).toEqual(["md", "name"]);
    const { shown } = await run(source, { name: "N" }, "markdown");
    expect(shown).toEqual(["# \\`code\\` and }N costs $5 \\\\n N"]);
    expect((await analyze("a\n${ b", "markdown")).problem).toMatchObject({ line: 2 });
    expect((await analyze("${ }", "markdown")).problem?.message).toContain("SyntaxError in ${…}");
  });

  it("says which kinds it runs", async () => {
    expect((await analyze("select 1", "unsupported")).problem?.message).toContain(
      'type "application/sql" cannot run',
    );
  });
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: cells of text have expressions
