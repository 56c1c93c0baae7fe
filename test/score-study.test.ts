import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The command as it is installed; the tests' set-up has built it. */
const SEP = join(ROOT, "dist/cli/main.js");

/** A study of the embedded model: enough validation questions to tell what is unfamiliar. */
let study: string;
const node = (args: readonly string[]) => promisify(execFile)(process.execPath, args, { cwd: study });
beforeAll(async () => {
  study = await mkdtemp(join(tmpdir(), "sep-score-study-"));
  await node([SEP, "run", "--limit", "140", "--runs", "2", "--quiet"]);
}, 240_000);
afterAll(() => rm(study, { recursive: true, force: true }));

async function score(question: string, ...options: readonly string[]) {
  const { stdout } = await node([SEP, "score", question, "--json", ...options]);
  return JSON.parse(stdout);
}

/** Runs the first sample in TypeScript of a page in the folder of the study. @returns what it prints */
async function runSample(name: string): Promise<string> {
  const page = await readFile(join(ROOT, name), "utf8");
  const [sample] = [...page.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code as string);
  await mkdir(join(study, "node_modules"), { recursive: true });
  const own = join(study, "node_modules/semantic-entropy-probes");
  if (!existsSync(own)) await symlink(ROOT, own);
  const { outputText } = ts.transpileModule(sample!, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  await writeFile(join(study, "sample.mjs"), outputText);
  return (await node(["sample.mjs"])).stdout;
}

it.each([
  ["README.md", /^\S+ 0\.\d+ \{/],
  ["docs/probes.md", /^$/],
])(
  "the sample of %s runs in the folder of a study",
  { tags: ["long"], timeout: 120_000 },
  async (page, printed) => {
    expect(await runSample(page)).toMatch(printed);
  },
);

it("docs/library.md's first sample runs in the folder of a study, and scores what the probe reads", {
  tags: ["long"],
  timeout: 120_000,
}, async () => {
  const stdout = await runSample("docs/library.md");
  const [scored, layers, risk, area] = stdout
    .replace(/ \{\s[^}]*\}/, "")
    .trimEnd()
    .split("\n");
  expect(layers).toMatch(/^5 layers of width 256$/);
  expect(area).toBe("1");
  // both ways are greedy answers to one prompt, read in passes of other lengths
  const [, inOneCall] = /^\S+ (0\.\d+)/.exec(scored!)!;
  expect(Math.abs(Number(inOneCall) - Number(risk))).toBeLessThan(1e-4);
});

it("nonsense is unfamiliar, and refused where that is asked for", {
  tags: ["long"],
  timeout: 120_000,
}, async () => {
  const flagged = await score("a b");
  expect(flagged.familiarity).toMatchObject({ is_unfamiliar: true });
  expect(flagged.warnings.join(" ")).toContain("unlike those of the training questions");
  expect(flagged.abstain_reason).not.toBe("unfamiliar");
  const refused = await score("a b", "--unfamiliar", "refuse");
  expect(refused).toMatchObject({ decision: "abstain", abstain_reason: "unfamiliar", risk: flagged.risk });
  const { stdout } = await node([SEP, "score", "a b", "--unfamiliar", "refuse"]);
  expect(stdout).toMatch(/^Question {2}unfamiliar \(p = 0\.0\d\d, distance/m);
  expect(stdout).toMatch(/^Decision {2}abstain \(unfamiliar\)/m);
});

it("questions like those of training are mostly familiar", { tags: ["long"], timeout: 120_000 }, async () => {
  const { familiarity } = JSON.parse(await readFile(join(study, "artifacts/models/probe_eval.json"), "utf8"));
  const { math_test: test, ood_test: ood } = familiarity.accuracy_probe.splits;
  expect(test.unfamiliar_share).toBeLessThan(0.2);
  expect(ood.unfamiliar_share).toBeGreaterThan(test.unfamiliar_share);
  expect((await score("What is 17 + 25?")).familiarity.is_unfamiliar).toBe(false);
});
