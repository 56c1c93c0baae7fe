import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runStep, type StepEvent, type StepOutcome, type StepResult } from "./step.ts";
import { openWorkspace } from "./workspace.ts";

let root: string;
let output: string;
let journal: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-step-"));
  output = join(root, "output.txt");
  journal = join(root, "output.txt.partial");
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Where a run is killed: before it replaces its output, before its manifest, or before it has cleaned up. */
type Kill = "body" | "manifest" | "clean-up";

describe("runStep", () => {
  it("cleans up after a run that was killed while it did", async () => {
    await expect(run("a", "clean-up")).rejects.toThrow("killed");
    expect(await readdir(root)).toContain("output.txt.partial");
    expect((await run("a")).status).toBe("up-to-date");
    expect((await readdir(root)).sort()).toEqual(["output.txt", "output.txt.manifest.json"]);
  });

  it("leaves the work of a killed run with other settings to that run", async () => {
    await run("a");
    await expect(run("b", "body")).rejects.toThrow("killed");
    expect((await run("a")).status).toBe("up-to-date");
    expect(await readFile(journal, "utf8")).toBe("b");
    expect((await run("b")).status).toBe("ran");
    expect((await readdir(root)).sort()).toEqual(["output.txt", "output.txt.manifest.json"]);
  });

  it("does not take the output of a killed run for that of the run before", async () => {
    await run("a");
    await expect(run("b", "manifest")).rejects.toThrow("killed");
    expect((await run("a")).status).toBe("ran");
    expect(await readFile(output, "utf8")).toBe("a");
  });
});

/** Runs a step that writes its setting into a journal, then into its output. */
async function run(setting: string, kill?: Kill): Promise<StepResult> {
  const step = runStep(
    openWorkspace(root),
    {
      step: "generate",
      part: "math",
      inputs: [],
      outputs: [output],
      settings: { setting },
      whenStale: "redo",
      cleanUp: async () => {
        if (kill === "clean-up") throw new Error("killed");
        await rm(journal, { force: true });
      },
    },
    {},
    async function* (): AsyncGenerator<StepEvent, StepOutcome> {
      yield { kind: "note", step: "generate", part: "math", message: setting };
      await writeFile(journal, setting);
      if (kill === "body") throw new Error("killed");
      await writeFile(output, setting);
      if (kill === "manifest") throw new Error("killed");
      return { counts: {}, warnings: [] };
    },
  );
  for (;;) {
    const next = await step.next();
    if (next.done) return next.value;
  }
}
