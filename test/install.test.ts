import { execFile, spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { runDockerfile } from "./fakes/run-dockerfile.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
const MANIFEST = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
const VERSION_LINE = new RegExp(`^semantic-entropy-probes ${MANIFEST.version.replaceAll(".", "\\.")}, Node `);
const NO_CHATTER = ["--prefer-offline", "--no-audit", "--no-fund"];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-install-"));
});
// some hundred thousand files
afterAll(() => rm(folder, { recursive: true, force: true }), 300_000);

describe("npm in a clone", () => {
  it("says nothing about its settings when a script is run", async () => {
    for (const args of [["run"], ["run", "--loglevel=warn"]]) {
      const { stdout, stderr } = await run("npm", args, { cwd: ROOT });
      expect(stdout).toContain("vitest run");
      expect(stderr).toBe("");
    }
  });

  it("installs without a warning; the only ones it hides are those of tests' clients, which ask for a newer Node", {
    tags: ["long"],
  }, async () => {
    const install = ["ci", "--dry-run", "--no-audit"];
    expect((await run("npm", install, { cwd: ROOT })).stderr).toBe("");
    const { stderr } = await run("npm", [...install, "--loglevel=warn"], { cwd: ROOT });
    const lines = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("npm warn EBADENGINE"));
    expect(lines).toEqual([]);
    const packages = [...stderr.matchAll(/package: '(.+)@[^@]+'/g)].map(([, name]) => name as string);
    const lock = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")) as {
      packages: Record<string, { dev?: boolean }>;
    };
    expect(packages.filter((name) => lock.packages[`node_modules/${name}`]?.dev !== true)).toEqual([]);
  });
});

it("a program that is not whole says so in one line, whatever the command", async () => {
  // the same files in a place where no package is found from
  const broken = join(folder, "broken");
  await mkdir(broken);
  await symlink(join(ROOT, "dist"), join(broken, "dist"));
  const inPlace = ["--preserve-symlinks", "--preserve-symlinks-main"];
  const doctor = run(process.execPath, [...inPlace, join(broken, "dist/cli/main.js"), "doctor"]);
  const { code, stderr } = (await doctor.catch((error: unknown) => error)) as {
    code: number;
    stderr: string;
  };
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^sep: This installation is incomplete .*Cannot find package .*--ignore-scripts.*\[package-missing; .*\n$/,
  );
});

describe("from nothing, as its users do", { tags: ["long"], timeout: 600_000 }, () => {
  it("both packages are packed, installed, compiled against in strict TypeScript, and run", async (context) => {
    const project = join(folder, "project");
    await mkdir(project);
    await writeFile(join(project, "package.json"), '{ "private": true, "type": "module" }');
    const { devDependencies: versions } = MANIFEST;
    const packed = [await pack("."), await pack("packages/notebook")];
    const others = ["typescript", "@types/node", "@ai-sdk/provider"].map(
      (name) => `${name}@${versions[name]}`,
    );
    // types of the AI SDK's own that its package does not bring
    others.push("@types/json-schema@7");
    const { stderr } = await npm(
      context,
      ["install", "--ignore-scripts", ...NO_CHATTER, ...packed, ...others],
      project,
    );
    expect(stderr.replace(/^npm warn EBADENGINE.*\n/gm, "")).toBe("");

    await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: COMPILER }));
    await writeFile(join(project, "use.ts"), USE);
    for (const entry of Object.keys(MANIFEST.exports).filter((name) => name !== "./package.json"))
      expect(USE).toContain(`"semantic-entropy-probes${entry.slice(1)}"`);
    await run("npx", ["tsc"], { cwd: project }).catch(({ stdout }) => expect.fail(stdout));
    const { stdout } = await run(process.execPath, ["use.js"], { cwd: project, timeout: 120_000 });
    expect(JSON.parse(stdout)).toEqual({
      tokens: expect.any(Number),
      risk: expect.any(Number),
      status: 200,
      refused: "bad-artifact",
      entropy: expect.closeTo(Math.LN2, 12),
      functions: Array(4).fill("function"),
      noRisk: null,
    });

    for (const name of ["semantic-entropy-probes", "sep"])
      expect((await run("npx", [name, "version"], { cwd: project })).stdout).toMatch(VERSION_LINE);
    expect((await run("npx", ["sep", "notebook", "--help"], { cwd: project })).stdout).toContain("notebook");
  });

  it("the Dockerfile's steps make a server that is healthy", async (context) => {
    const image = await runDockerfile(ROOT, join(folder, "container")).catch((error: unknown) =>
      skipOffline(context, error),
    );
    await cp(join(ROOT, "models/pocket/probes"), image.workdir, { recursive: true });
    const port = String(await freePort());
    const [command, ...args] = image.entrypoint as [string, ...string[]];
    const env = { ...image.env, SEP_API_KEY: "a-key-of-this-test" };
    const server = spawn(
      command,
      [...args, "--probe", "accuracy_probe.json", "--allow-host", "any", "--port", port],
      {
        cwd: image.workdir,
        env,
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    let complaints = "";
    server.stderr.on("data", (chunk: Buffer) => {
      complaints += chunk;
    });
    const [program, ...check] = image.healthcheck.map((word) => word.replace(":8000/", `:${port}/`)) as [
      string,
      ...string[],
    ];
    await expect
      .poll(
        () =>
          run(program, check, { env }).then(
            () => "healthy",
            () => complaints,
          ),
        { timeout: 60_000, interval: 500 },
      )
      .toBe("healthy");
    // nothing is written outside the folders that the container may write to
    expect(await readdir(image.workdir)).toEqual((await readdir(join(ROOT, "models/pocket/probes"))).sort());
    server.kill();
    expect(await new Promise((settle) => server.once("close", settle))).toBe(0);
  });
});

/** As strict as a user's own code may be checked, with the types of all dependencies. */
const COMPILER = { target: "ES2022", module: "NodeNext", strict: true, skipLibCheck: false, types: ["node"] };

/** Uses each entry for what it is there for. */
const USE = `
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModel, loadProbe, scoreQuestion } from "semantic-entropy-probes";
import { readRisk, riskMiddleware } from "semantic-entropy-probes/ai-sdk";
import { buildPrompt, type LanguageModel } from "semantic-entropy-probes/engine";
import { discreteSemanticEntropy } from "semantic-entropy-probes/entropy";
import { SepError, writeAtomic } from "semantic-entropy-probes/files";
import { parseProbe, type Probe } from "semantic-entropy-probes/probe";
import { createServer, liveModelOf, type NamedProbe } from "semantic-entropy-probes/serve";
import { openDocument } from "semantic-entropy-probes-notebook";
import { check } from "semantic-entropy-probes-notebook/commands";

const model: LanguageModel = await loadModel("pocket");
const { tokenIds } = buildPrompt(model.tokenizer, "What is 17 + 25?");
const path = join(dirname(fileURLToPath(import.meta.resolve("semantic-entropy-probes/package.json"))), "models/pocket/probes/accuracy_probe.json");
const probe: Probe = await loadProbe(path);
const { risk } = await scoreQuestion(model, probe, "What is 17 + 25?");
const named: NamedProbe = { name: "accuracy", sha256: "0", probe };
const server = createServer({ live: liveModelOf(model), probes: [named] });
const { status } = await server.app.request("/health");
await server[Symbol.asyncDispose]();
await model[Symbol.asyncDispose]();

await writeAtomic("not-a-probe.json", "{}");
const refused = await loadProbe("not-a-probe.json").catch((error: unknown) => error instanceof SepError && error.code);
console.log(JSON.stringify({
  tokens: tokenIds.length,
  risk,
  status,
  refused,
  entropy: discreteSemanticEntropy([0, 1]),
  functions: [parseProbe, riskMiddleware, openDocument, check].map((value) => typeof value),
  noRisk: readRisk(undefined) ?? null,
}));
`;

/** Runs npm; without a registry, the test is skipped and says so. */
async function npm(
  context: TestContext,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly stderr: string }> {
  return await run("npm", args, { cwd }).catch((error: unknown) => skipOffline(context, error));
}

function skipOffline(context: TestContext, error: unknown): never {
  const { stderr = "", message } = error as { readonly stderr?: string; readonly message: string };
  const isOffline =
    /npm error code (?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED)/.test(
      stderr,
    );
  if (isOffline) context.skip("the npm registry cannot be reached");
  throw new Error(stderr === "" ? message : stderr, { cause: error });
}

/** @returns the path of a package's tarball */
async function pack(workspace: string): Promise<string> {
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const { stdout } = await run("npm", args, { cwd: join(ROOT, workspace), maxBuffer: 2 ** 24 });
  const [{ filename }] = JSON.parse(stdout) as [{ readonly filename: string }];
  return join(folder, filename);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
  const { port } = server.address() as AddressInfo;
  await new Promise((settle) => server.close(settle));
  return port;
}
