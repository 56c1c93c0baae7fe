import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { loadBackend } from "../../src/backends/load-backend.ts";
import { loadModel } from "../../src/checkpoint/load-model.ts";
import { runCli } from "../../src/cli/run-cli.ts";
import type { LanguageModel } from "../../src/engine/language-model.ts";
import { readManifest } from "../../src/store/manifest.ts";
import { manifestPathOf } from "../../src/store/output-ownership.ts";
import { openWorkspace } from "../../src/study/workspace.ts";
import { createFakeCli } from "../fakes/cli-context.ts";
import { finishOpening } from "../fakes/finish-opening.ts";
import { answerBackendContract } from "./answer-backend-contract.ts";
import { stateBackendContract } from "./state-backend-contract.ts";

const MINE = fileURLToPath(new URL("../fixtures/backends/mine.mjs", import.meta.url));

let folder: string;
let model: LanguageModel;
let backend: Backend;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-own-"));
  model = await loadModel("pocket", { threads: 1 });
  backend = await finishOpening((await loadBackend(MINE))("pocket", { root: folder }));
});
afterAll(async () => {
  await backend[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe("a backend of the user's samples answers", () => {
  answerBackendContract(() => backend.answers!);
});

describe("a backend of the user's reads states", () => {
  stateBackendContract(
    () => backend.states!,
    () => ({
      async read(tokenIds, indices, layers) {
        const { residuals } = await model.trace(tokenIds, { positions: indices, layers });
        const size = layers.length * model.config.hiddenSize;
        return indices.map((_, i) => residuals.subarray(i * size, (i + 1) * size));
      },
      tolerance: 1e-6, // the same passes
    }),
  );
});

describe("sep --backend FILE", () => {
  const sep = async (...args: readonly string[]) => {
    const cli = createFakeCli({ isTTY: false });
    const code = await runCli([...args, "--out", folder], cli.context);
    return { code, stderr: cli.stderr() };
  };

  it("samples and traces with it, and the manifests name it", async () => {
    expect((await sep("prepare", "--limit", "2", "--ood", "none")).code).toBe(0);
    const drawn = await sep(
      "generate",
      "--backend",
      MINE,
      "--runs",
      "2",
      "--max-new-tokens",
      "8",
      "--set",
      "math",
    );
    expect(drawn).toMatchObject({ code: 0, stderr: expect.stringContaining("loading pocket") });
    expect((await sep("trace", "--backend", MINE, "--layers", "0,4", "--set", "math")).code).toBe(0);
    const workspace = openWorkspace(folder);
    const runs = (await readFile(workspace.runs("math"), "utf8")).trim().split("\n");
    expect(runs.map((line) => JSON.parse(line).backend)).toEqual(["mine", "mine", "mine", "mine"]);
    for (const file of [workspace.runs("math"), workspace.hiddenStates("math")])
      expect((await readManifest(manifestPathOf(file)))?.settings.model).toMatchObject({
        backend: "mine",
        module: "mine.mjs",
        module_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
  });

  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };

  it.each([
    ["no-such.mjs", null, /no-such\.mjs does not exist/],
    ["broken.mjs", "export default ;", /cannot be loaded/],
    ["odd.mjs", "throw undefined;", /odd\.mjs cannot be loaded: it threw undefined\./],
    [
      "throws.mjs",
      'export default async function* () { throw new Error("no such GPU."); }',
      /throws\.mjs did not open: no such GPU\. Set SEP_DEBUG=1/,
    ],
    ["plain.mjs", "export default async () => ({});", /gives no async generator/],
    ["nothing.mjs", "export const a = 1;", /exports a, expected a function/],
    ["typed.ts", "export default 1;", /typed\.ts (is TypeScript, which Node|exports default, expected)/],
    [
      "nameless.mjs",
      "export default async function* () { return {}; }",
      /name is undefined, expected small letters/,
    ],
    ["taken.mjs", 'export default async function* () { return { name: "vllm" }; }', /name is "vllm"/],
    [
      "idle.mjs",
      'export default async function* () { return { name: "idle", async [Symbol.asyncDispose]() {} }; }',
      /answers is undefined, expected an object/,
    ],
    [
      "half.mjs",
      'export default async function* () { return { name: "half", answers: { name: "half" }, async [Symbol.asyncDispose]() {} }; }',
      /answers\.model is undefined, expected an object, as of loadModel/,
    ],
  ])("says what is wrong with %s", async (name, text, message) => {
    const path = text === null ? join(folder, name) : await write(name, text);
    const opening = loadBackend(path).then((open) => finishOpening(open("pocket", { root: folder })));
    await expect(opening).rejects.toMatchObject({
      code: "bad-backend",
      message: expect.stringMatching(message),
    });
  });

  it("needs the part that the step asks for", async () => {
    const path = await write(
      "states-only.mjs",
      `import open from ${JSON.stringify(MINE)};
       export async function* openBackend(...asked) { const { answers, ...rest } = yield* open(...asked); return rest; }`,
    );
    const { code, stderr } = await sep("generate", "--backend", path, "--force");
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/The backend mine has no answers/);
  });
});

it("is the one that docs/library.md shows", async () => {
  const docs = await readFile(new URL("../../docs/library.md", import.meta.url), "utf8");
  expect(docs).toContain(await readFile(MINE, "utf8"));
});
