import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { makeFamiliarity, makeProbe } from "../../../test/fakes/make-probe.ts";
import { saveProbe } from "../../study/probe-files.ts";
import { runCli } from "../run-cli.ts";

let root: string;
let path: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-probe-cli-"));
  path = join(root, "se_probe.json");
  await saveProbe(path, makeProbe({ familiarity: makeFamiliarity(2) }));
});
afterAll(() => rm(root, { recursive: true }));

async function probe(...args: string[]) {
  const cli = createFakeCli();
  const code = await runCli(["probe", ...args], cli.context);
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

test("info, for people and for scripts", async () => {
  const { stdout } = await probe("info", path);
  expect(stdout).toMatch(/reads +think-end, layer 2, 2 numbers, residual\n/);
  expect(stdout).toMatch(/training +10 answers to 5 questions, 4 of label 1, seed 42\n/);
  expect(stdout).toMatch(/calibration +platt, slope 2\.0000, offset 0\.2500\n/);
  expect(stdout).toMatch(/risk +0\.1: none\. too few\n/);
  expect(stdout).toMatch(
    /familiarity +1 leading direction of 12 training questions, distances of 3 validation\s+questions\n/,
  );
  const json = JSON.parse((await probe("info", path, "--json")).stdout);
  expect(json).toMatchObject({
    kind: "probe",
    probe_kind: "logistic",
    position: "think-end",
    intercept: -0.5,
  });
  expect(json).not.toHaveProperty("mean");
  expect(json.familiarity).toEqual({
    level: 0.05,
    residual_variance: 0.25,
    shrinkage: 0.125,
    training_questions: 12,
    validation_questions: 3,
  });
});

test("info of a probe that could not be trained says why", async () => {
  const other = join(root, "untrained.json");
  const warnings = [{ code: "one-class", message: "All labels are 0." }];
  await saveProbe(other, { kind: "untrained", target: "incorrect", warnings });
  expect((await probe("info", other)).stdout).toMatch(
    /could not be trained\n.*\none-class +All labels are 0\.\n/,
  );
  expect((await probe("export", other)).stderr).toMatch(/one-class/);
});

test("export writes beside the probe, and replaces nothing unasked", async () => {
  for (const format of ["onnx", "npz", "sklearn-json"]) {
    expect((await probe("export", path, "--format", format)).code).toBe(0);
  }
  expect((await readdir(root)).filter((name) => name.startsWith("se_probe")).sort()).toEqual([
    "se_probe.json",
    "se_probe.npz",
    "se_probe.onnx",
    "se_probe.safetensors",
    "se_probe.sklearn.json",
  ]);
  const again = await probe("export", path, "--format", "npz");
  expect([again.code, again.stderr]).toEqual([
    1,
    expect.stringMatching(/se_probe.npz exists.*output-differs/),
  ]);
  const to = join(root, "copy.json");
  const { stdout } = await probe("export", path, "--to", to, "--json");
  expect(JSON.parse(stdout).files).toEqual([to, join(root, "copy.safetensors")]);
  // the copy stands on its own, and knows its weights
  expect((await probe("info", to)).code).toBe(0);
  await writeFile(join(root, "copy.safetensors"), "x");
  expect((await probe("info", to)).stderr).toMatch(/SHA-256/);
});
