import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { notebookText, stageNotebook } from "../packages/notebook/test/stage-notebook.ts";
import { guardOutput, runCli } from "../src/cli/run-cli.ts";
import { expectNoSecret } from "./expect-no-secret.ts";
import { createFakeCli } from "./fakes/cli-context.ts";
import { makeFakeVllm } from "./fakes/make-fake-vllm.ts";

// The doors of the program: terminal, JSON, files, notebook, agent. What servers say is in secrets-servers.test.ts.

const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const KEY = "sk-proj-Zq7_x9Lw2-Ab4Cd8Ef6Gh";
const PASSWORD = "p4ssw0rd/of+the=proxy";

let root: string;
/** Refuses everything, and says what it got. */
let echoUrl: string;
/** Answers as a judge who says yes. */
let judgeUrl: string;
const servers = [
  createServer((request, response) => {
    const { authorization = "" } = request.headers;
    const error = { message: `Incorrect API key provided: ${authorization}`, path: request.url };
    response.writeHead(401, { "x-error-message": `got ${authorization}` }).end(JSON.stringify({ error }));
  }),
  createServer((request, response) => {
    request.resume().on("end", () => {
      const message = { content: "yes", key: request.headers.authorization };
      response.setHeader("x-key", String(request.headers.authorization));
      response.end(JSON.stringify({ choices: [{ message }], key: request.headers.authorization }));
    });
  }),
] as const;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-doors-"));
  for (const server of servers) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const [echo, judge] = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  echoUrl = `http://me:${encodeURIComponent(PASSWORD)}@${echo}/v1`;
  judgeUrl = `http://me:${encodeURIComponent(PASSWORD)}@${judge}/v1?token=${KEY}`;
});
afterAll(async () => {
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) await new Promise((done) => server.close(done));
  await rm(root, { recursive: true, force: true });
});

const expectClean = (text: string): void => {
  for (const secret of [KEY, PASSWORD]) expectNoSecret(text, secret);
};

async function sep(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}) {
  const child = spawn(process.execPath, [SEP, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env } as NodeJS.ProcessEnv,
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (said.stdout += chunk));
  child.stderr.on("data", (chunk: Buffer) => (said.stderr += chunk));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  expectClean(said.stdout);
  expectClean(said.stderr);
  return { code, ...said };
}

/** In this process, for commands that get no secret. */
const sepHere = (args: readonly string[]): Promise<number> => runCli(args, createFakeCli().context);

async function expectCleanFiles(folder: string): Promise<number> {
  let files = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    expectClean(entry.name);
    if (!entry.isFile()) continue;
    expectClean(await readFile(join(entry.parentPath, entry.name), "latin1"));
    files += 1;
  }
  return files;
}

describe("the terminal", () => {
  const study = () => ["--out", join(root, "study")];
  const env = (): Readonly<Record<string, string>> => ({
    VLLM_API_KEY: KEY,
    TEI_API_KEY: KEY,
    OPENAI_API_KEY: KEY,
    HF_TOKEN: KEY,
    HF_HOME: join(root, "home"),
    SEP_CACHE: join(root, "cache"),
    SEP_DEBUG: "1",
  });

  it("shows no key that a server sends back, in words, JSON or stacks", { timeout: 120_000 }, async () => {
    expect(await sepHere(["prepare", "--limit", "6", "--ood", "none", ...study()])).toBe(0);
    const vllm = ["generate", "--backend", "vllm", "--set", "math", ...study(), "--vllm-url"];
    for (const json of [[], ["--json"]]) {
      const { code, stdout, stderr } = await sep([...vllm, echoUrl, ...json], env());
      expect(code).toBe(1);
      expect(stderr).toContain("Incorrect API key provided: Bearer [redacted]");
      expect(stderr).toMatch(/^ +at /m);
      if (json.length > 0)
        expect(JSON.parse(stdout.trim().split("\n").at(-1) as string)).toMatchObject({ kind: "error" });
    }
    expect((await sep([...vllm, `ftp://me:${PASSWORD}@host`])).stderr).toContain("ftp://[redacted]@host");
    const small = ["--runs", "3", "--max-new-tokens", "60", "--force"];
    expect(await sepHere(["generate", "--set", "math", ...small, ...study()])).toBe(0);
    for (const [relation, option] of [
      ["nli", ["--nli-url", echoUrl]],
      ["judge", ["--judge-model", "m", "--judge-url", echoUrl]],
    ] as const) {
      const entropy = ["entropy", "--set", "math", "--equivalence", relation, ...option, ...study()];
      const { code, stderr } = await sep([...entropy, "--json"], env());
      expect([code, stderr]).toEqual([1, expect.stringContaining("[redacted]")]);
    }
  });

  it("shows no login of HF_ENDPOINT, and no token of the hub", { tags: ["long"] }, async () => {
    const pull = ["models", "pull", "org/model", "--json"];
    const wrong = await sep(pull, { ...env(), HF_ENDPOINT: echoUrl });
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/http:\/\/127\.0\.0\.1:\d+\/v1/)]);
    expect((await sep(pull, { ...env(), HF_ENDPOINT: `ftp://me:${PASSWORD}@h` })).code).toBe(2);
    const { HF_TOKEN: _, ...rest } = env();
    await writeFile(join(root, "token"), `${KEY}\n`);
    const filed = { ...rest, HF_TOKEN_PATH: join(root, "token"), HF_ENDPOINT: echoUrl.replace(/me:.*@/, "") };
    expect((await sep(pull, filed)).code).toBe(1);
    await rm(join(root, "token"));
  });

  it("shows no argument that is a secret", { tags: ["long"] }, async () => {
    for (const args of [
      ["run", `--api-key=${KEY}`],
      ["run", "--backend", "vllm", "--vllm-url", `http://me:${PASSWORD}@`],
      ["run", `https://me:${encodeURIComponent(PASSWORD)}@host`],
      ["generate", "--model", `https://me:${encodeURIComponent(PASSWORD)}@host/org`],
    ])
      expect((await sep([...args, ...study()])).code).not.toBe(0);
  });

  it("holds whatever is written there, and keeps JSON whole", async () => {
    const unit = fc.constantFrom(..."abcXYZ0123456789-_.~+/=!%&\"\\'<>{}");
    const secret = fc.string({ unit, minLength: 16, maxLength: 40 }).filter((key) => new Set(key).size >= 8);
    await fc.assert(
      fc.asyncProperty(secret, fc.string(), fc.json({ maxDepth: 2 }), async (key, before, json) => {
        const cli = createFakeCli({ env: { SOME_API_KEY: ` ${key} `, HF_HOME: root } });
        const { stdout, stderr, data } = await guardOutput([], cli.context);
        stderr.write(`${before}${key}${key.slice(3)}\n`);
        const event = { kind: "note", message: `${before} ${key}`, more: JSON.parse(json) };
        stdout.write(`${JSON.stringify(event)}\n`);
        expect(JSON.parse(cli.stdout())).toMatchObject({ kind: "note" });
        for (const text of [cli.stderr(), JSON.parse(cli.stdout()).message]) expectNoSecret(text, key);
        data.write(key); // what is data goes out as it is
        expect(cli.stdout().endsWith(key)).toBe(true);
      }),
    );
  });

  it("leaves all else as it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.lorem()), fc.json(), async (words, json) => {
        const cli = createFakeCli({ env: { SOME_API_KEY: KEY, FOO_TOKEN: "1", HF_HOME: root } });
        const { stdout } = await guardOutput([], cli.context);
        const text = `${words.join(" token=")} key ${JSON.stringify({ kind: "x", json })}\n`;
        stdout.write(text);
        expect(cli.stdout()).toBe(text);
      }),
    );
  });

  it("is guarded for every command", async () => {
    const cli = createFakeCli({ env: { SOME_API_KEY: KEY }, isTTY: true });
    expect(await runCli(["clusters", KEY, "--out", root, "--json"], cli.context)).toBe(1);
    expectClean(cli.stderr() + cli.stdout());
  });
});

describe("files", () => {
  it("hold no key after a study with servers that print and send it", {
    tags: ["long"],
    timeout: 240_000,
  }, async () => {
    const env = {
      ...(await makeFakeVllm(join(root, "bin"))),
      VLLM_API_KEY: KEY,
      OPENAI_API_KEY: KEY,
      HF_TOKEN: KEY,
      HF_HOME: join(root, "home"),
      SEP_CACHE: join(root, "cache"),
      HF_ENDPOINT: echoUrl,
      HTTPS_PROXY: `http://me:${encodeURIComponent(PASSWORD)}@proxy:3128`,
    };
    const out = join(root, "whole");
    const sizes = [
      "--limit",
      "6",
      "--runs",
      "3",
      "--max-new-tokens",
      "60",
      "--layers",
      "0,2",
      "--ood",
      "none",
    ];
    const judge = ["--equivalence", "judge", "--judge-model", "m", "--judge-url", judgeUrl];
    const { code, stderr } = await sep(["run", ...sizes, ...judge, "--backend", "vllm", "--out", out], env);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
    const log = await readFile(join(out, "artifacts", "vllm-states.log"), "utf8");
    expect(log).toContain("non-default args: {'api_key': '[redacted]'}\n");
    expect(log).toContain("the key [redacted]\n");
    expect(await expectCleanFiles(out)).toBeGreaterThan(10);
    expect(await expectCleanFiles(join(root, "cache"))).toBeGreaterThan(0);
  });
});

describe("a notebook", () => {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: templates of the cells
  const CELLS = [
    "const key = process.env.SOME_API_KEY ?? '';\nkey",
    'console.log(`Authorization: Bearer ${key}`);\ndisplay(html`<b title="${key}">${key}</b>`);\ndisplay([{ key, n: 12 }]);',
    "key;\nthrow new TypeError(`refused ${encodeURIComponent(key)} at http://me:${key}@host/`);",
    "process.stderr.write(`raw ${key}`);\nprocess.stdout.write(`${key}\\n`);\nsetTimeout(() => { throw new Error(`late ${key}`); }, 1);\nawait new Promise((done) => setTimeout(done, 100));",
    'const answer = "The token=abc of Bearer a1b2c3d4e5 is data.";\nanswer',
  ];
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: templates of the cells

  it("shows and keeps no secret of its environment, and answers as they are", {
    tags: ["long"],
    timeout: 60_000,
  }, async () => {
    await using stage = await stageNotebook(notebookText(CELLS));
    for (const json of [[], ["--json"]]) {
      const run = await sep(["notebook", "run", stage.path, ...json], { SOME_API_KEY: KEY });
      expect(run.code).toBe(1);
      expect(run.stdout).toContain("The token=abc of Bearer a1b2c3d4e5 is data.");
      expect(run.stdout + run.stderr).toContain("refused [redacted] at http://[redacted]@host/");
      expect(run.stderr).toContain("raw [redacted]");
    }
    const exported = join(stage.folder, "export.html");
    expect((await sep(["notebook", "export", stage.path, "--to", exported])).code).toBe(0);
    expect(await expectCleanFiles(stage.folder)).toBeGreaterThan(2);
  });

  it("tells no page and no agent", { timeout: 60_000 }, async () => {
    await using stage = await stageNotebook(notebookText(CELLS));
    const session = await stage.open({ env: { ...process.env, SOME_API_KEY: KEY } });
    const { port } = await stage.serve(session);
    const events: unknown[] = [];
    session.listen((event) => events.push(event));
    session.run("all");
    await session.settled();
    const client = new Client({ name: "test", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
    const said: unknown[] = [];
    for (const [name, args] of [
      ["list_cells", {}],
      ["get_outputs", {}],
      ["get_errors", {}],
      ["get_variable", { name: "key" }],
      ["read_cell", { id: 2 }],
    ] as const)
      said.push(await client.callTool({ name, arguments: args }));
    await client.close();
    expectClean(JSON.stringify(events));
    expectClean(JSON.stringify(said));
    expect(JSON.stringify(said)).toContain("[redacted]");
  });
});
