import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { makeTransfer } from "../../../test/fakes/make-transfer.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import { listTableNames } from "../../report/evaluation-tables.ts";
import { listFigures } from "../../report/figure.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { buildDatasets } from "./build-datasets.ts";
import { evaluateProbes } from "./evaluate-probes.ts";
import { trainProbes } from "./train-probes.ts";
import { writeReport } from "./write-report.ts";

describe("writeReport", () => {
  let root: string;
  let workspace: Workspace;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-report-"));
    workspace = await writeStudy(root, { questions: 40 });
    for (const step of [buildDatasets(workspace), trainProbes(workspace)]) await finishStep(step);
    await finishStep(evaluateProbes(workspace, { resamples: 50, permutations: 19 }));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it("writes the page and two files a figure, and counts them", async () => {
    const { events, result } = await finishStep(writeReport(workspace));
    const { status, outputs, counts } = result;
    expect(status).toBe("ran");
    const names = listFigures(true, false);
    expect(counts).toEqual({ figures: names.length });
    const tables = listTableNames(true);
    expect(outputs).toHaveLength(1 + 2 * names.length + 3 * tables.length);
    expect(await readdir(join(workspace.report, "..", "tables"))).toEqual(
      tables.flatMap((name) => [`${name}.csv`, `${name}.md`, `${name}.tex`]).sort(),
    );
    expect(result.warnings).toEqual([]);
    expect(await readdir(join(workspace.report, "..", "figures"))).toEqual(
      names.flatMap((name) => [`${name}.csv`, `${name}.svg`]).sort(),
    );
    const last = events.filter((event) => event.kind === "advanced").at(-1);
    expect(last).toMatchObject({ done: names.length + 1, total: names.length + 1 });
  });

  it("takes a comparison of data sets, the study's own or another", async () => {
    await finishStep(writeReport(workspace));
    expect(await readFile(workspace.report, "utf8")).not.toContain("Transfer to other data sets");
    const elsewhere = join(root, "elsewhere.json");
    await writeFile(elsewhere, JSON.stringify(makeTransfer()));
    const { result } = await finishStep(writeReport(workspace, { transfer: elsewhere }));
    expect(result.status).toBe("ran");
    expect(await readFile(workspace.report, "utf8")).toContain("Transfer to other data sets");
    await writeFile(workspace.transfer, JSON.stringify(makeTransfer()));
    await finishStep(writeReport(workspace));
    expect(await readFile(workspace.figure("transfer.csv"), "utf8")).toMatch(
      /^source,target,probe,auroc\na\/math,/,
    );
    await rm(workspace.transfer);
    await writeFile(elsewhere, "{}");
    await expect(finishStep(writeReport(workspace, { transfer: elsewhere }))).rejects.toThrow(
      /elsewhere\.json was not written by `sep transfer`: it has no `matrix`/,
    );
  });

  it("keeps a figure that was edited by hand", async () => {
    await finishStep(writeReport(workspace, { force: true }));
    const figure = workspace.figure("roc-test.svg");
    await appendFile(figure, "<!-- mine -->");
    await appendFile(workspace.probeEval, "\n");
    await rm(manifestPathOf(workspace.probeEval)); // the edited evaluation is meant
    await expect(finishStep(writeReport(workspace))).rejects.toThrow(/roc-test\.svg/);
    expect(await readFile(figure, "utf8")).toContain("<!-- mine -->");
  });

  it("writes the formats asked for, keeps them, and removes those that are dropped", async () => {
    const folder = join(workspace.report, "..", "figures");
    const endings = async () =>
      [...new Set((await readdir(folder)).map((name) => name.split(".")[1]))].sort();
    const write = (options: Parameters<typeof writeReport>[1]) => finishStep(writeReport(workspace, options));
    await write({ force: true, figures: ["pdf", "svg"] });
    expect(await endings()).toEqual(["csv", "pdf", "svg"]);
    expect(await readFile(workspace.report, "utf8")).toContain('href="figures/roc-test.pdf"');
    const manifest = await readManifest(`${workspace.report}.manifest.json`);
    expect(manifest!.settings.figures).toEqual(["svg", "pdf"]);
    expect(Object.keys(manifest!.outputs)).toContain("artifacts/figures/roc-test.pdf");
    const pdf = await readFile(workspace.figure("roc-test.pdf"));
    expect((await write({})).result.status).toBe("up-to-date");
    await write({ force: true });
    expect((await readFile(workspace.figure("roc-test.pdf"))).equals(pdf)).toBe(true);

    await appendFile(workspace.figure("roc-test.pdf"), "% mine");
    await write({ figures: ["svg"] });
    expect((await readdir(folder)).filter((name) => name.endsWith(".pdf"))).toEqual(["roc-test.pdf"]);
    expect(await readFile(workspace.report, "utf8")).not.toContain("figures/roc-test.pdf");
    await rm(workspace.figure("roc-test.pdf"));
  });

  it("warns of letters that PDF and PNG figures cannot show, and not of SVG", async () => {
    const elsewhere = join(root, "letters.json");
    await writeFile(elsewhere, JSON.stringify(makeTransfer()).replaceAll("b/math", "科学/math"));
    const svg = await finishStep(
      writeReport(workspace, { force: true, transfer: elsewhere, figures: ["svg"] }),
    );
    expect(svg.result.warnings).toEqual([]);
    const both = await finishStep(writeReport(workspace, { transfer: elsewhere, figures: ["png", "svg"] }));
    const manifest = await readManifest(`${workspace.report}.manifest.json`);
    expect(manifest!.settings.figures).toEqual(["svg", "png"]);
    expect(both.result.warnings).toEqual([
      { code: "missing-letters", message: expect.stringContaining("lacks letters in transfer,") },
    ]);
    await finishStep(writeReport(workspace, { figures: ["svg"] }));
  });

  it("says what to run first", async () => {
    await expect(finishStep(writeReport(openWorkspace(join(root, "none"))))).rejects.toThrow(
      /`sep report` reads .*probe_eval\.json, which does not exist/,
    );
  });
});
