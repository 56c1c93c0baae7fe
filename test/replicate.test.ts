import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "../src/cli/run-cli.ts";
import type { ProbeEval } from "../src/evaluation/probe-eval.ts";
import { readConfig } from "../src/study/config-file.ts";
import { STUDY } from "../src/study/settings/study.ts";
import { openWorkspace } from "../src/study/workspace.ts";
import { createFakeCli } from "./fakes/cli-context.ts";

const CONFIG = fileURLToPath(new URL("../docs/replicate.yaml", import.meta.url));

describe("the protocol of the SEP paper as a file of settings", () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-replicate-"));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it("is read as it is meant", async () => {
    expect(await readConfig(CONFIG, STUDY)).toMatchObject({
      runs: 10,
      temperature: 1,
      topP: 1,
      bestAnswer: true,
      bestTemperature: 0.1,
      promptFormat: "few-shot",
      correctness: "squad-f1",
      equivalence: "nli",
      seMode: "oatml",
      positions: ["before-generation", "second-to-last"],
      position: "second-to-last",
      seThreshold: "best-split",
      probe: "logistic",
    });
  });

  it("every setting that it names is explained in docs/replicate.md", async () => {
    const page = await readFile(new URL("../docs/replicate.md", import.meta.url), "utf8");
    const settings = [...(await readFile(CONFIG, "utf8")).matchAll(/^([a-z-]+):/gm)].map(([, name]) => name!);
    const unexplained = settings.filter((name) => !page.includes(name));
    // the regression's plain class weights need no explanation
    expect(unexplained).toEqual(["class-weight"]);
  });

  it("runs in small on the embedded model, from questions to the report", {
    tags: ["long"],
    timeout: 300_000,
  }, async () => {
    // the embedded model knows its own prompt only, and no NLI model comes with the package
    const small = (await readFile(CONFIG, "utf8"))
      .replace("prompt-format: few-shot", "prompt-format: auto")
      .replace("max-new-tokens: 50", "max-new-tokens: 160")
      .replace("equivalence: nli", "equivalence: exact")
      .replace(/^nli-model.*$/m, "");
    const config = join(root, "small.yaml");
    await writeFile(config, small);
    const cli = createFakeCli();
    const args = ["run", "--config", config, "--limit", "60", "--runs", "3", "--out", root];
    expect(await runCli(args, cli.context)).toBe(0);
    const workspace = openWorkspace(root);
    const { audit, math_test, probes } = JSON.parse(await readFile(workspace.probeEval, "utf8")) as ProbeEval;
    // one row a question: the best answers
    expect(math_test.counts).toMatchObject({ rows: 9, questions: 9 });
    expect(probes.se_probe?.position ?? "second-to-last").toBe("second-to-last");
    expect(audit.moments.accuracy_probe).toBe("after");
    expect(cli.stdout()).toContain(audit.verdict[0]!.split(" ").slice(0, 4).join(" "));
    expect(await readFile(workspace.table("scores-test.tex"), "utf8")).toContain("\\toprule");
  });
});
