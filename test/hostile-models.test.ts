import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { childrenOf } from "./children-of.ts";
import { eachSampled } from "./each-sampled.ts";
import { createFakeCli } from "./fakes/cli-context.ts";

// Models made to do harm. Threads and processes load JavaScript, so this is the built package, as users run it.

const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const built = <Module>(path: string): Promise<Module> =>
  import(new URL(`../dist/${path}.js`, import.meta.url).href) as Promise<Module>;
const { loadTextTokenizer, readTokenizerFiles } = await built<
  typeof import("../src/checkpoint/tokenizer/load-text-tokenizer.ts")
>("checkpoint/tokenizer/load-text-tokenizer");
const { openHere } = await built<typeof import("../src/checkpoint/tokenizer/sandboxed-tokenizer.ts")>(
  "checkpoint/tokenizer/sandboxed-tokenizer",
);
const { runCli } = await built<typeof import("../src/cli/run-cli.ts")>("cli/run-cli");
const { loadModel } = await built<typeof import("../src/checkpoint/load-model.ts")>("checkpoint/load-model");
const { loadTextClassifier } = await built<
  typeof import("../src/checkpoint/encoders/load-text-classifier.ts")
>("checkpoint/encoders/load-text-classifier");

const golden = (path: string): string => fileURLToPath(new URL(`golden/${path}`, import.meta.url));
const HONEST = golden("checkpoints/llama-untied-llama3-rope");
const isWindows = process.platform === "win32";
const isLinux = process.platform === "linux";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-hostile-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

type Change = (folder: string) => unknown;
/** A copy of an honest model with something done to it. */
async function model(change: Change, honest = HONEST): Promise<string> {
  const folder = await mkdtemp(join(root, "model-"));
  await cp(honest, folder, { recursive: true });
  await change(folder);
  return folder;
}

const template =
  (source: string): Change =>
  (folder) =>
    writeFile(join(folder, "chat_template.jinja"), source);
const json =
  (name: string, change: (fields: Record<string, unknown>) => object): Change =>
  async (folder) => {
    const path = join(folder, name);
    const fields = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    await writeFile(path, JSON.stringify({ ...fields, ...change(fields) }));
  };
const fifo =
  (name: string): Change =>
  async (folder) => {
    await rm(join(folder, name), { force: true });
    execFileSync("mkfifo", [join(folder, name)]);
  };

const EXPLODING = { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Isolated", invert: false };
const explodingTokenizer = json("tokenizer.json", ({ pre_tokenizer }) => ({
  pre_tokenizer: { type: "Sequence", pretokenizers: [EXPLODING, pre_tokenizer] },
}));
const LOOPS = "{% for i in range(30000) %}{% for j in range(30000) %}{% endfor %}{% endfor %}";
const MANY_AS = `${"a".repeat(40)} b`;

interface Ended {
  readonly code: number | null;
  readonly text: string;
}

/** Runs the command; `during` may do something to it meanwhile. */
async function sep(
  args: readonly string[],
  during: (pid: number) => Promise<void> = async () => undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, [SEP, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
  const ended = new Promise<Ended>((settle) => child.once("close", (code) => settle({ code, text })));
  await during(child.pid as number);
  return ended;
}

/** The same in this process, where nothing can take long. */
async function sepHere(args: readonly string[]): Promise<Ended> {
  const cli = createFakeCli();
  const code = await runCli(args, cli.context);
  return { code, text: cli.stdout() + cli.stderr() };
}

/** A study of one question that a hostile pattern does not get over. */
async function prepare(): Promise<string> {
  const folder = await mkdtemp(join(root, "study-"));
  const questions = join(folder, "questions.jsonl");
  await writeFile(questions, `${JSON.stringify({ id: "q", question: MANY_AS, answer: "1" })}\n`);
  await sepHere(["prepare", "--dataset", questions, "--ood", "none", "--out", folder]);
  return folder;
}
const generate = (study: string, path: string): string[] => [
  ...["generate", "--force", "--out", study, "--model", path, "--runs", "2", "--max-new-tokens", "4"],
];

describe("a chat template", () => {
  const messages = [{ role: "user", content: "Why?" }] as const;

  eachSampled<[string, string, RegExp]>([
    ["loops in loops", LOOPS, /chat_template\.jinja .*rendering the chat template took more than 5\.0 s/],
    ["a long range", "{% for i in range(1000000000) %}{% endfor %}", /rendering the chat template/],
    [
      "replacements of replacements",
      `{% set s='aaaaaaaaaa' %}${"{% set s = s.replace('a','aaaaaaaaaa') %}".repeat(9)}{{ s }}`,
      /rendering the chat template/,
    ],
    // one allocation that is larger than V8 knows: it would abort the process, and a thread does not keep it in
    [
      "a list too long for V8",
      "{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(24) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s.split('a')|length }}",
      /rendering the chat template/,
    ],
    ["a long prompt", "{% for i in range(9999) %}aaaaaaaaaa{% endfor %}", /at most 32800/],
  ])("with %s ends in an error that names file and limit", async (_name, source, message) => {
    const tokenizer = await loadTextTokenizer(await model(template(source)));
    const render = (): string | undefined => tokenizer.renderChat?.(messages, { addGenerationPrompt: true });
    const error = expect.objectContaining({
      code: "hostile-model",
      message: expect.stringMatching(message) as string,
    }) as Error;
    expect(render).toThrow(error);
    expect(render).toThrow(error); // at once
    expect(() => tokenizer.encode("x", { specialTokens: false })).toThrow(error);
  });

  it("of 50 MB is not read, in its own file or in a config", async () => {
    const refusal = { code: "hostile-model", message: expect.stringMatching(/chat_template|config/) };
    const folder = await model(template("a".repeat(50 << 20)));
    await expect(loadTextTokenizer(folder)).rejects.toMatchObject(refusal);
    const inConfig = await model(
      json("tokenizer_config.json", () => ({ chat_template: "a".repeat(2 << 20) })),
    );
    await expect(loadTextTokenizer(inConfig)).rejects.toMatchObject(refusal);
    expect((await sepHere(["models", "info", folder])).code).toBe(0);
  });
});

describe("a tokenizer", () => {
  const encode = (tokenizer: { encode(text: string, options: { specialTokens: boolean }): number[] }) => () =>
    tokenizer.encode(MANY_AS, { specialTokens: false });

  it("whose pattern never ends is given up, when it encodes and when it decodes", {
    tags: ["long"],
  }, async () => {
    const encoding = await loadTextTokenizer(await model(explodingTokenizer));
    expect(encode(encoding)).toThrow(
      expect.objectContaining({
        code: "hostile-model",
        message: expect.stringMatching(/tokenizer\.json .*encoding a text took more than/) as string,
      }) as Error,
    );
    const decoding = await loadTextTokenizer(
      await model(
        json("tokenizer.json", () => ({
          decoder: {
            type: "Sequence",
            decoders: [
              { type: "Fuse" },
              { type: "Replace", pattern: { Regex: "([\\s\\S]+)+\\n\\n$" }, content: "" },
            ],
          },
        })),
      ),
    );
    const ids = Array.from({ length: 60 }, () => 64);
    expect(() => decoding.decode(ids)).toThrow(expect.objectContaining({ code: "hostile-model" }) as Error);
  });

  it("that makes a text a million times longer ends its own process only", { tags: ["long"] }, async () => {
    const growing = { type: "Replace", pattern: { String: "a" }, content: "a".repeat(1000) };
    const grow = (times: number): Promise<string> =>
      model(
        json("tokenizer.json", () => ({
          normalizer: { type: "Sequence", normalizers: Array.from({ length: times }, () => growing) },
        })),
      );
    for (const [times, code] of [
      [2, "hostile-model"],
      [3, "bad-tokenizer"], // no text is so long
    ] as const)
      expect(encode(await loadTextTokenizer(await grow(times)))).toThrow(
        expect.objectContaining({ code }) as Error,
      );
  });

  it.skipIf(!isLinux).each([
    ["SIGABRT", "hostile-model", /ended its process \(SIGABRT\), which may take 1024 MB/],
    ["SIGTERM", "interrupted", /SIGTERM/],
  ])("whose process ends by %s says so", async (signal, code, message) => {
    const tokenizer = await loadTextTokenizer(HONEST);
    process.kill(findSandbox(process.pid), signal);
    await sleep(500);
    expect(encode(tokenizer)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error,
    );
  });

  it("that takes long to open can be given up", async () => {
    const abort = new AbortController();
    const opening = loadTextTokenizer(HONEST, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(opening).rejects.toThrow("enough");
  });

  it("in a process of its own gives what it gives here", async () => {
    for (const folder of [HONEST, golden("deberta-tokenizer"), golden("nli/deberta")]) {
      const { tokenizer: here } = openHere(await readTokenizerFiles(folder));
      const apart = await loadTextTokenizer(folder);
      expect(apart.sha256).toBe(here.sha256);
      expect([...apart.addedTokens]).toEqual([...here.addedTokens]);
      expect(apart.endToken).toBe(here.endToken);
      for (const text of ["", "Why?", "naïve 🙂 \ud800 x\n\n  12,5", "word ".repeat(5000)]) {
        const ids = here.encode(text, { specialTokens: true });
        expect(apart.encode(text, { specialTokens: true })).toEqual(ids);
        expect(apart.decode(ids)).toBe(here.decode(ids));
        const lists = [[], ...ids.map((id) => [id]), ids];
        expect(apart.decodeEach?.(lists)).toEqual(lists.map((list) => here.decode(list)));
        expect(apart.tokenId(text)).toBe(here.tokenId(text));
      }
    }
    const chat = await model(template("{{ messages[0].content }}{{ enable_thinking is defined }}"));
    const { renderChat } = await loadTextTokenizer(chat);
    const render = (options: object): string | undefined =>
      renderChat?.([{ role: "user", content: "é\u2028" }], { addGenerationPrompt: true, ...options });
    expect(render({})).toBe("é\u2028false");
    expect(render({ enableThinking: false })).toBe("é\u2028true");
    const failing = await loadTextTokenizer(await model(template("{{ raise_exception('no') }}")));
    expect(() => failing.renderChat?.([], { addGenerationPrompt: true })).toThrow(
      expect.objectContaining({ code: "bad-tokenizer" }) as Error,
    );
    expect(failing.encode("x", { specialTokens: false })).toHaveLength(1); // still there
  });

  it("of a model that compares answers is held in too", { tags: ["long"] }, async () => {
    await using classifier = await loadTextClassifier(await model(explodingTokenizer, golden("nli/deberta")));
    await expect(classifier.classify([MANY_AS])).rejects.toMatchObject({ code: "hostile-model" });
  });
});

describe("files", () => {
  const expectRefused = async (path: string, message: RegExp, load = loadModel as (p: string) => unknown) => {
    await expect(load(path)).rejects.toMatchObject({
      code: "bad-checkpoint",
      message: expect.stringMatching(message) as string,
    });
  };

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      "more layers and wider than the weights",
      { hidden_size: 2 ** 31, num_hidden_layers: 1e9 },
      /"num_hidden_layers" is 1000000000, and the weights allow more than 30/,
    ],
    ["a width of 2^31", { hidden_size: 2 ** 31 }, /"hidden_size" is 2147483648/],
    ["a vocabulary of 2^40", { vocab_size: 2 ** 40 }, /"vocab_size" is 1099511627776/],
    ["a billion heads", { num_attention_heads: 1e9 }, /"num_attention_heads" is 1000000000/],
  ])("a config with %s is refused before anything is allocated", async (_name, fields, message) => {
    await expectRefused(await model(json("config.json", () => fields)), message);
  });

  it("a DeBERTa with a billion positions is refused", async () => {
    const folder = await model(
      json("config.json", () => ({ max_position_embeddings: 1e9 })),
      golden("nli/deberta"),
    );
    await expectRefused(folder, /"max_position_embeddings" is 1000000000/, loadTextClassifier);
  });

  it("a header longer than its file, and a config of 5 MB, are refused", async () => {
    const long = Buffer.alloc(64);
    long.writeBigUInt64LE(7_000_000n);
    const folder = await model((path) => writeFile(join(path, "model.safetensors"), long));
    await expectRefused(folder, /its header claims 7000000 bytes of the file's 64/);
    const config = await model((path) =>
      writeFile(join(path, "config.json"), `{"a":"${"b".repeat(5 << 20)}"}`),
    );
    await expect(loadModel(config)).rejects.toMatchObject({ code: "hostile-model" });
  });

  it
    .skipIf(isWindows)
    .each([
      "model.safetensors",
      "model.safetensors.index.json",
      "config.json",
      "generation_config.json",
      "tokenizer.json",
      "tokenizer_config.json",
      "chat_template.jinja",
    ])("a FIFO as %s is not opened", async (name) => {
    const folder = await model(fifo(name));
    await expectRefused(folder, new RegExp(`${name} is a FIFO, expected a regular file`));
  });

  it.skipIf(isWindows)("a FIFO as README, and as an export to ONNX, keep nobody waiting", async () => {
    const info = await sepHere(["models", "info", await model(fifo("README.md"))]);
    expect(info).toMatchObject({ code: 0, text: expect.stringMatching(/engine +runs/) as string });
    const exported = await model(fifo("onnx/model.onnx"), golden("nli/exported"));
    await expectRefused(exported, /model\.onnx is a FIFO/, loadTextClassifier);
  });

  it.skipIf(isWindows)("folders, sockets, devices and links to themselves are none either", async () => {
    const weights = (path: string): string => join(path, "model.safetensors");
    const linked = (target: string): Promise<string> =>
      model(async (path) => {
        await rm(weights(path));
        await symlink(target, weights(path));
      });
    await expectRefused(await linked("."), /is a folder/);
    await expectRefused(await linked("/dev/zero"), /is a device/);
    await expectRefused(await linked("model.safetensors"), /is a link that leads to itself/);
    const server = createServer();
    const socket = await linked("socket");
    await new Promise<void>((listening) => server.listen(join(socket, "socket"), listening));
    await expectRefused(socket, /is a socket/);
    server.close();
    // a link to a file, as the Hugging Face cache has them, is one
    await using _model = await loadModel(await linked(join(HONEST, "model.safetensors")));
  });
});

describe("the command", () => {
  let study: string;
  beforeAll(async () => {
    study = await prepare();
  });

  eachSampled<[string, Change, RegExp, boolean]>([
    [
      "a config",
      json("config.json", () => ({ hidden_size: 2 ** 31, num_hidden_layers: 1e9 })),
      /"num_hidden_layers" is 1000000000/,
      true,
    ],
    ["a template", template(LOOPS), /chat_template\.jinja .*took more than .*\[hostile-model/, false],
    ["a tokenizer", explodingTokenizer, /tokenizer\.json .*took more than .*\[hostile-model/, false],
    ["a FIFO as weights", fifo("model.safetensors"), /model\.safetensors is a FIFO/, true],
  ])("ends with one line on %s", async (_name, change, message, isSeenByInfo) => {
    const path = await model(change);
    const info = await sepHere(["models", "info", path]);
    expect(info.code).toBe(0);
    if (isSeenByInfo) expect(info.text).toMatch(message);
    const drawn = await sep(generate(study, path));
    expect(drawn).toMatchObject({ code: 1, text: expect.stringMatching(message) as string });
  });

  // its children stand in /proc
  eachSampled<[NodeJS.Signals, Change]>(
    [
      ["SIGTERM", template(LOOPS)],
      ["SIGINT", explodingTokenizer],
      ["SIGKILL", explodingTokenizer],
    ],
    { sample: 0, skip: !isLinux },
  )("ends soon after %s, and so does the tokenizer's process", async (name, change) => {
    let sandbox = 0;
    let signalled = 0;
    await sep(generate(study, await model(change)), async (pid) => {
      while (sandbox === 0) {
        await sleep(20);
        sandbox = findSandbox(pid);
      }
      await sleep(1000); // it is at work by then
      signalled = performance.now();
      process.kill(pid, name);
    });
    expect(performance.now() - signalled).toBeLessThan(30_000);
    await expect.poll(() => existsSync(`/proc/${sandbox}`), { timeout: 60_000 }).toBe(false);
  });
});

/** The process of the last tokenizer that a process has opened, from any of its threads; 0 if there is none. */
const findSandbox = (pid: number): number =>
  Number(
    childrenOf(pid).findLast((child) =>
      readFileSync(`/proc/${child}/cmdline`, "utf8").includes("sandbox-process"),
    ) ?? 0,
  );
