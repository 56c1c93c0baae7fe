import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readConfig, writeConfig } from "./config-file.ts";
import { DATASET_LAYER, DATASET_SETTINGS, TRAIN_POSITIONS, TRAIN_SETTINGS } from "./settings/probes.ts";
import { flag, redescribe, resolveSettings } from "./settings/setting.ts";
import { STUDY, settingsSchema } from "./settings/study.ts";
import { openWorkspace } from "./workspace.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-config-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(content: string): Promise<string> {
  const path = join(folder, "study.yaml");
  await writeFile(path, content);
  return path;
}

describe("readConfig", () => {
  it("reads YAML and JSON by the options' names", async () => {
    const path = await put("max-new-tokens: 64\npositions: [think-end]\nnested: true\nseed: null\n");
    expect(await readConfig(path, STUDY)).toEqual({
      maxNewTokens: 64,
      positions: ["think-end"],
      nested: true,
    });
    expect(await readConfig(await put('{"top-p": 0.5, "estimates": ["p_false"]}'), STUDY)).toEqual({
      topP: 0.5,
      estimates: ["p_false"],
    });
    expect(await readConfig(await put("# nothing\n"), STUDY)).toEqual({});
  });

  it("passes over what a step does not have, or has with another meaning", async () => {
    const path = await put("runs: 5\nlayer: best\npositions: all\nseed: 7\nwindow: 2\n");
    expect(await readConfig(path, { ...DATASET_SETTINGS, ...DATASET_LAYER })).toEqual({});
    expect(await readConfig(path, { ...TRAIN_SETTINGS, ...TRAIN_POSITIONS })).toEqual({
      layer: "best",
      window: 2,
    });
  });

  it.each([
    ["temprature: 1", /study\.yaml: there is no setting temprature\. Did you mean temperature\?/],
    ["maxNewTokens: 1", /no setting maxNewTokens\. Did you mean max-new-tokens\?/],
    ["runs: ten", /study\.yaml: runs is "ten", expected an integer >= 1\./],
    ['runs: "10"', /runs is "10", expected an integer >= 1\./],
    ["top-p: 2", /top-p is 2, expected a number > 0 and <= 1\./],
    ["nested: 1", /nested is 1, expected true or false\./],
    ["probe: svm", /probe is "svm", expected logistic, ridge, mean-difference or mlp\./],
    ["positions: middle", /positions is "middle", expected all, or a list of some of before-generation, /],
    ["c: 0", /c is 0, expected cv or a number > 0\./],
    ["- 1", /contains no settings, expected lines such as/],
    ["runs: [", /is not YAML: [^\n]*\.$/],
    ["runs: .nan", /runs is NaN, expected an integer >= 1/],
    ["temperature: .inf", /temperature is Infinity, expected a number >= 0/],
    [
      `a: &a [1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nruns: [*c,*c,*c]`,
      /cannot be read as settings: Excessive alias count/,
    ],
  ])("refuses %s", async (content, message) => {
    await expect(readConfig(await put(content), STUDY)).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringMatching(message),
    });
  });

  it("refuses what stands on the command line only", async () => {
    const force = redescribe(flag("Replace."), { inFile: false });
    await expect(readConfig(await put("force: true"), { force })).rejects.toThrow(
      /there is no setting force/,
    );
  });

  it("says when there is no such file", async () => {
    await expect(readConfig(join(folder, "none.yaml"), STUDY)).rejects.toMatchObject({
      code: "missing-input",
    });
  });
});

it("what is written is read back, with its origin and without secrets", async () => {
  const workspace = openWorkspace(folder);
  const settings = resolveSettings(STUDY, { runs: 3, judgeUrl: "https://me:hunter2hunter2@judge/v1" });
  await writeConfig(workspace, settings, {
    command: ["sep", "run", "--api-key", "sk-0123456789abcdef"],
    env: { VLLM_API_KEY: "0123-4567-89ab" },
  });
  const text = await readFile(workspace.config, "utf8");
  expect(text).toMatch(/^temperature: null # 0\.6$/m);
  expect(text).toMatch(/^provenance:\n {2}command: sep run --api-key \[redacted\]\n {2}date: /m);
  expect(text).toMatch(/^ {2}onnxruntime-node: \d+\.\d+\.\d+$/m);
  expect(text).not.toMatch(/hunter2|sk-0123/);
  const { judgeUrl: _redacted, ...read } = await readConfig(workspace.config, STUDY);
  const { judgeUrl: _secret, ...given } = settings;
  expect(resolveSettings(STUDY, read)).toEqual(given);
});

it("a caller's setting that does not fit is refused by its name", () => {
  expect(() => resolveSettings(STUDY, { runs: 0 })).toThrow(/^Got runs 0, expected an integer >= 1\.$/);
  expect(() => resolveSettings(STUDY, { probe: "svm" as "mlp" })).toThrow(
    /^Got probe "svm", expected logistic/,
  );
});

it("a form can be built of the JSON schema", () => {
  const { properties } = settingsSchema();
  expect(Object.keys(properties ?? {})).toEqual(Object.keys(STUDY));
  expect(properties?.runs).toMatchObject({ type: "integer", minimum: 1, default: 10 });
  for (const property of Object.values(properties ?? {}))
    expect(property).toMatchObject({ description: expect.stringMatching(/\.$/) });
});
