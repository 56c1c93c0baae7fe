import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findViolations, type SourceFile } from "./architecture-rules.ts";

const ROOT = new URL("../", import.meta.url);

function readSources(folder: string): SourceFile[] {
  return readdirSync(new URL(folder, ROOT), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => {
      const path = `${entry.parentPath.slice(ROOT.pathname.length)}/${entry.name}`.replaceAll("//", "/");
      return { path, source: readFileSync(new URL(path, ROOT), "utf8") };
    });
}

describe("the house", () => {
  it("keeps its rules", () => {
    const files = [
      ...["src/", "test/", "bench/", "apps/page/src/"],
      ...["packages/notebook/src/", "packages/notebook/test/"],
    ].flatMap(readSources);
    expect(files.length).toBeGreaterThan(20);
    expect(findViolations(files)).toEqual([]);
  });
});

describe("the checker", () => {
  const rng = { path: "src/math/rng.ts", source: "export const one = 1;\n" };
  const check = (path: string, source: string, ...others: SourceFile[]): string[] =>
    findViolations([{ path, source: `${source}\n` }, rng, ...others]);

  it("lets a file import its own room and rooms before it", () => {
    expect(check("src/store/a.ts", 'import { one } from "../math/rng.ts";')).toEqual([]);
    expect(check("src/math/a.ts", 'import { one } from "./rng.ts";')).toEqual([]);
    expect(check("src/index.ts", 'export { one } from "./math/rng.ts";')).toEqual([]);
  });

  it.each([
    ["a plain import", 'import { a } from "../store/a.ts";'],
    ["a type import", 'import type { A } from "../store/a.ts";'],
    ["a re-export", 'export { a } from "../store/a.ts"; export const b = 1;'],
    ["a dynamic import", 'export const load = () => import("../store/a.ts");'],
  ])("sees %s of a later room", (_name, source) => {
    const later = { path: "src/store/a.ts", source: "export const a = 1;\n" };
    expect(check("src/math/b.ts", source, later)).toEqual([
      'src/math/b.ts: math comes before store and imports "../store/a.ts"',
    ]);
  });

  it.each([["node:fs"], ["fs"]])("keeps %s out of what runs anywhere", (specifier) => {
    const source = `import x from "${specifier}";`;
    expect(check("src/text/a.ts", source)).toEqual([
      `src/text/a.ts: text/ runs anywhere and imports "${specifier}"`,
    ]);
    expect(check("src/text/a.ts", `import type x from "${specifier}";`)).toEqual([]);
    expect(check("src/store/a.ts", source)).toEqual([]);
    expect(check("src/engine/runtime/open-node.ts", source)).toEqual([]);
  });

  it("keeps Node's globals out of what runs anywhere", () => {
    expect(check("src/text/a.ts", "export const a = Buffer.from([process.pid]);")).toEqual([
      "src/text/a.ts: text/ runs anywhere and uses Buffer",
      "src/text/a.ts: text/ runs anywhere and uses process",
    ]);
    expect(check("src/text/a.ts", "export const a = { process: 1 }.process;")).toEqual([]);
    expect(check("src/store/a.ts", "export const a = process.pid;")).toEqual([]);
  });

  it("lets what runs anywhere take types, but nothing else, from what needs Node", () => {
    const store = { path: "src/store/b.ts", source: "export const b = 1;\n" };
    const platform = { path: "src/engine/b-node.ts", source: "export const b = 1;\n" };
    expect(check("src/meaning/a.ts", 'import type { b } from "../store/b.ts";', store)).toEqual([]);
    expect(check("src/meaning/a.ts", 'import { type b } from "../store/b.ts";', store)).toEqual([]);
    expect(check("src/meaning/a.ts", 'import { b } from "../store/b.ts";', store)).toEqual([
      'src/meaning/a.ts: meaning/ runs anywhere and imports "../store/b.ts", which needs Node',
    ]);
    expect(check("src/engine/a.ts", 'import { b } from "./b-node.ts";', platform)).toHaveLength(1);
    expect(check("src/store/a.ts", 'import { b } from "../engine/b-node.ts";', platform)).toEqual([]);
  });

  it("keeps ONNX Runtime and a protocol's words in their folders", () => {
    const source = 'import { Tensor } from "onnxruntime-node";';
    expect(check("src/backends/local/a.ts", source)).toHaveLength(1);
    expect(check("src/engine/runtime/ort-node.ts", source)).toEqual([]);
    const words = "export const a = { kv_transfer_params: 1 };";
    expect(check("src/study/a.ts", words)).toHaveLength(1);
    expect(check("src/backends/vllm/a.ts", words)).toEqual([]);
  });

  it("sees circles, of types too", () => {
    const b = { path: "src/math/b.ts", source: 'import type { A } from "./a.ts";\nexport type B = A;\n' };
    expect(check("src/math/a.ts", 'import type { B } from "./b.ts";\nexport type A = B;', b)).toEqual([
      "src/math/a.ts -> src/math/b.ts -> src/math/a.ts: a circle of imports",
    ]);
  });

  it("wants imports to name a file", () => {
    expect(check("src/store/a.ts", 'import { one } from "../math/rng.js";')).toHaveLength(1);
    expect(check("src/store/a.ts", 'import { one } from "../math";')).toHaveLength(1);
    const index = { path: "src/math/index.ts", source: 'export { one } from "./rng.ts";\n' };
    expect(check("src/store/a.ts", 'import { one } from "../math/index.ts";', index)).toEqual([
      'src/store/a.ts: imports the index "../math/index.ts", not a file',
      "src/math/index.ts: only a package's entry is a barrel",
    ]);
  });

  it("lets nobody import a door", () => {
    const door = { path: "src/cli/main.ts", source: "export const a = 1;\n" };
    expect(check("src/index.ts", 'export { a } from "./cli/main.ts";', door)).toEqual([
      "src/index.ts: imports the door cli/",
    ]);
    expect(check("src/cli/b.ts", 'import { a } from "./main.ts";', door)).toEqual([]);
  });

  it("lets the notebook import public entries only", () => {
    const path = "packages/notebook/src/a.ts";
    const own = { path: "packages/notebook/src/kernel/b.ts", source: "export const b = 1;\n" };
    expect(check(path, 'import { b } from "./kernel/b.ts";', own)).toEqual([]);
    expect(check(path, 'import { SepError } from "semantic-entropy-probes/files";')).toEqual([]);
    expect(check(path, 'import { one } from "../../../src/math/rng.ts";')).toEqual([
      `${path}: imports "../../../src/math/rng.ts", expected a public entry of semantic-entropy-probes`,
    ]);
    expect(check(path, 'import { one } from "semantic-entropy-probes/dist/math/rng.js";')).toHaveLength(1);
    expect(check(path, 'import { b } from "./kernel/c.ts";', own)).toHaveLength(1);
  });

  it("knows the rooms", () => {
    expect(check("src/attic/a.ts", "export const a = 1;")).toEqual(["src/attic/a.ts: no such room"]);
  });

  it.each([["utils"], ["helpers"], ["common"], ["types"]])("has no drawer called %s", (name) => {
    expect(check(`src/math/${name}.ts`, "export const a = 1;")).toHaveLength(1);
    expect(check(`test/${name}.ts`, "export const a = 1;")).toHaveLength(1);
  });

  it("wants kebab-case names", () => {
    expect(check("src/math/logSumExp.ts", "export const a = 1;")).toHaveLength(1);
  });

  it("counts lines", () => {
    const lines = (count: number): string => "export const a = 1;\n".repeat(count).trimEnd();
    expect(check("src/math/a.ts", lines(400))).toEqual([]);
    expect(check("src/math/a.ts", lines(401))).toEqual(["src/math/a.ts: 401 lines, at most 400"]);
    expect(check("src/index.ts", lines(361))).toEqual(["src/index.ts: 361 lines, at most 360"]);
  });

  it("does not take a comment or a text for an import", () => {
    expect(check("src/math/a.ts", '// import "node:fs"\nexport const a = \'import "node:fs"\';')).toEqual([]);
  });
});
