import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import { CHECK_NAMES } from "../../evaluation/checks.ts";
import type { ProbeEval } from "../../evaluation/probe-eval.ts";
import { groupWarnings } from "../group-warnings.ts";
import { runCli } from "../run-cli.ts";

describe("sep eval", () => {
  let root: string;
  let evaluation: ProbeEval;
  let first: { readonly stdout: string; readonly stderr: string };

  const run = async (...args: string[]): Promise<{ stdout: string; stderr: string }> => {
    const cli = createFakeCli();
    expect(await runCli([...args, "--out", root], cli.context)).toBe(0);
    return { stdout: cli.stdout(), stderr: cli.stderr() };
  };
  /** The terminal's lines as one. */
  const unwrap = (text: string): string => text.replaceAll(/\s+/g, " ");
  const countOf = (text: string, part: string): number => unwrap(text).split(part).length - 1;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-eval-"));
    const workspace = await writeStudy(root, { questions: 20 });
    await run("dataset");
    await run("train");
    first = await run("eval");
    evaluation = JSON.parse(await readFile(workspace.probeEval, "utf8")) as ProbeEval;
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it("prints each warning once, alike ones as one: below the table, or alone when there is no table", async () => {
    expect(evaluation.warnings.length).toBeGreaterThan(2);
    const grouped = groupWarnings(evaluation.warnings);
    expect(grouped.length).toBeLessThan(evaluation.warnings.length);
    const quiet = await run("eval", "--force", "--quiet");
    const again = await run("eval");
    for (const { message } of grouped) {
      expect(countOf(first.stdout, message), message).toBe(1);
      expect(countOf(first.stderr, message), message).toBe(0);
      expect(countOf(again.stdout + again.stderr, message), message).toBe(1);
      expect(countOf(quiet.stderr, message), message).toBeLessThanOrEqual(1);
    }
    expect(quiet.stdout).toBe("");
    expect(countOf(quiet.stderr, "[few-questions]")).toBe(1);
  });

  it("shows where the report is in one line", async () => {
    const { stdout, stderr } = await run("report");
    expect(stdout).toMatch(/^Report {2}file:.*\/artifacts\/report\.html\n$/);
    expect(stderr).toBe("");
  });

  it("audits the probe: when it is known, a check a question, and a warning for each that is red", () => {
    const { audit, warnings } = evaluation;
    expect(audit.moments).toEqual({ accuracy_probe: "during", se_probe: "during" });
    expect(audit.checks.map(({ id }) => id)).toEqual(CHECK_NAMES);
    expect(audit.shared_questions).toEqual([]);
    expect(audit.verdict.length).toBeGreaterThan(0);
    const bad = audit.checks.filter(({ status }) => status === "bad").map(({ id }) => `check-${id}`);
    expect(warnings.map(({ code }) => code).filter((code) => code.startsWith("check-"))).toEqual(bad);
  });

  it("writes numbers as the report does", async () => {
    const { stdout } = await run("eval");
    const page = await readFile(join(root, "artifacts", "report.html"), "utf8");
    expect(stdout).toMatch(/≤ 0\.001 +\d+\/\d+/);
    expect(page).toMatch(/<td>≤ 0\.001<\/td>/);
    expect(unwrap(stdout)).toMatch(/[+−]0\.\d{3} to [+−]0\.\d{3}; p (=|≤|<) 0\.\d{3}, after Holm/);
    const { document } = parseHTML(page);
    const cells = [...document.querySelectorAll("table:not(.settings) td")].map((cell) => cell.textContent);
    expect(cells.length).toBeGreaterThan(100);
    for (const line of [...cells, ...stdout.split("\n")]) {
      expect(line.match(/(^|[ (])-\d|\de-\d|\bp 0|\b0\.000 +\d+\/\d+$/)?.[0], line).toBeUndefined();
    }
  });
});
