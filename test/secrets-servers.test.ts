import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createServerJudge } from "../src/backends/openai/open-openai.ts";
import { createTeiEntailer } from "../src/backends/tei/open-tei.ts";
import { readAnswer } from "../src/backends/vllm/answer-protocol.ts";
import { findServedModel } from "../src/backends/vllm/served-model.ts";
import { openHub } from "../src/checkpoint/hub/hub.ts";
import { pullRepository } from "../src/checkpoint/hub/pull-repository.ts";
import { explainServerRefusal } from "../src/net/describe-outcome.ts";
import { parseServerAddress } from "../src/net/server-address.ts";
import { createServerPool } from "../src/net/server-pool.ts";
import { expectNoSecret } from "./expect-no-secret.ts";

// Servers that send back the key that they got, in every place and spelling, to each client that sends one.

type Echo = (response: ServerResponse, key: string) => void;

let root: string;
let url: string;
let echo: Echo;
const server = createServer((request, response) => {
  request.resume().on("end", () => echo(response, keyOf(request.headers.authorization ?? "")));
});

/** Of `Bearer` the key, of `Basic` the password. */
function keyOf(authorization: string): string {
  const [scheme, value = ""] = authorization.split(" ");
  if (scheme !== "Basic") return value;
  return Buffer.from(value, "base64").toString().replace(/^me:/, "");
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-secrets-"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(root, { recursive: true, force: true });
});

const sleep = async (): Promise<void> => undefined;
const withPool = async (
  apiKey: string,
  use: (pool: ReturnType<typeof createServerPool>) => Promise<unknown>,
) => {
  await using pool = createServerPool([parseServerAddress(url, "--vllm-url")], { apiKey, sleep, tries: 2 });
  return await use(pool);
};

/** What a client makes of a server's answer: a value, or what it threw. */
const CLIENTS: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
  "vLLM, its models": (key) => withPool(key, (pool) => findServedModel(pool, "m")),
  "vLLM, an answer": (key) =>
    withPool(key, async (pool) => {
      const answer = await pool.post("/completions", {}, { key: "" });
      if (answer.status >= 400) throw explainServerRefusal("vLLM", answer);
      return readAnswer(answer, "vLLM");
    }),
  "text-embeddings-inference": (key) =>
    withPool(key, async (pool) => (await createTeiEntailer(pool)).provenance),
  judge: (key) =>
    createServerJudge({ url, model: "m", apiKey: key, fetch, sleep }).complete("?", { labels: ["yes"] }),
  hub: async (key) => pull({ HF_ENDPOINT: url, HF_TOKEN: key }),
  "hub with a login": async (key) =>
    pull({ HF_ENDPOINT: url.replace("//", `//me:${encodeURIComponent(key)}@`) }),
};

async function pull(env: Readonly<Record<string, string>>): Promise<unknown> {
  const settings = { HF_HOME: root, HF_HUB_CACHE: join(root, "hub"), ...env };
  const hub = await openHub({ env: settings, sleep });
  const said: unknown[] = [];
  const events = pullRepository(hub, { repo: "org/model", revision: "main" });
  try {
    for (let next = await events.next(); ; next = await events.next()) {
      said.push(next.value);
      if (next.done) return said;
    }
  } catch (error) {
    throw Object.assign(error as Error, { said });
  }
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const json =
  (status: number, body: (key: string) => unknown): Echo =>
  (response, key) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body(key)));
const text =
  (status: number, body: (key: string) => string): Echo =>
  (response, key) =>
    void response.writeHead(status, { "content-type": "text/plain" }).end(body(key));
const COMMIT = "0123456789abcdef0123456789abcdef01234567";

const ECHOES: Readonly<Record<string, Echo>> = {
  "OpenAI's refusal": json(401, (key) => ({ error: { message: `Incorrect API key provided: ${key}.` } })),
  "vLLM's detail": json(403, (key) => ({ detail: `Bearer ${key}` })),
  "the header itself": json(401, (key) => ({ message: `got Authorization: Bearer ${key}`, key })),
  "a page": text(404, (key) => `<html><body>No ${key.replaceAll("&", "&amp;")} here</body></html>`),
  "the status text": (response, key) => void response.writeHead(400, `Bad ${encodeURIComponent(key)}`).end(),
  headers: (response, key) =>
    void response
      .writeHead(403, { "x-error-message": `no rights for ${key}`, "www-authenticate": `Bearer ${key}` })
      .end(),
  "percent-encoded": text(400, (key) => `?access_token=${encodeURIComponent(key)}`),
  "JSON in JSON": json(400, (key) => ({ error: JSON.stringify({ request: JSON.stringify({ key }) }) })),
  base64: text(401, (key) => `Basic ${base64(`me:${key}`)} ${base64(key)}`),
  doubled: text(400, (key) => `${key}${key} ${key},${key}`),
  "no JSON": text(200, (key) => `Bearer ${key}`),
  "JSON that breaks off": text(200, (key) => `{"key": "${key}`),
  "a list of it": json(200, (key) => ({ data: [{ id: key, root: `of ${key}` }] })),
  "its name": json(200, (key) => ({ data: [{ id: key, root: "m" }], model_id: key, version: key })),
  "a completion of it": json(200, (key) => ({
    choices: [{ finish_reason: key, logprobs: { content: [] } }],
  })),
  "no content": json(200, (key) => ({ choices: [{ message: { content: { key } } }] })),
  "a commit, and it as a file": (response, key) =>
    void response
      .writeHead(200, { "content-type": "application/json", etag: `"${key.replace(/[^\w.-]/g, "")}"` })
      .end(
        JSON.stringify({
          sha: COMMIT,
          siblings: [{ rfilename: `${key}.safetensors` }, { rfilename: "config.json" }],
        }),
      ),
  "a failure that passes": text(503, (key) => `busy with ${key}`),
  "a redirect to it": (response, key) =>
    void response.writeHead(302, { location: `ftp://${encodeURIComponent(key)}/` }).end(),
  "a broken address": (response, key) =>
    void response.writeHead(302, { location: `http://${encodeURIComponent(key)}:port/` }).end(),
};
/** Where the excerpt of an answer ends within the key. */
for (const at of [170, 185, 190, 270, 280, 288, 295, 299])
  (ECHOES as Record<string, Echo>)[`cut off after ${at}`] = text(
    400,
    (key) => `${"x".repeat(at)}${key} and more`,
  );

const KEY = "sk-proj-aB3_x9-Lw2.Ab4Cd/8Ef6+Gh=Jk&L";

/** All that a client hands on: value or error, with stack, causes and fields. */
async function outcomeOf(client: (key: string) => Promise<unknown>, key: string): Promise<string> {
  const outcome = await client(key).catch((error: unknown) => error);
  return inspect(outcome, { depth: 20, maxStringLength: null, breakLength: Number.POSITIVE_INFINITY });
}

describe.each(Object.keys(CLIENTS))("%s", (client) => {
  it.each(Object.keys(ECHOES))("does not hand on a key that comes back: %s", async (name) => {
    echo = ECHOES[name] as Echo;
    const outcome = await outcomeOf(CLIENTS[client] as never, KEY);
    expectNoSecret(outcome, KEY);
    expect(outcome).not.toMatch(/[A-Za-z0-9+/]*c2stcHJvai1h|cm9qLWFCM194/); // its beginning in base64
  });
});

it("says what the server said apart from the key", async () => {
  echo = ECHOES["OpenAI's refusal"] as Echo;
  for (const client of ["vLLM, its models", "text-embeddings-inference", "judge"])
    expect(await outcomeOf(CLIENTS[client] as never, KEY)).toContain(
      "Incorrect API key provided: [redacted].",
    );
});

it("quotes no header that cannot be sent", async () => {
  echo = ECHOES.doubled as Echo;
  for (const client of Object.values(CLIENTS)) expectNoSecret(await outcomeOf(client, `${KEY}\n${KEY}`), KEY);
});

it("holds for keys of any kind in any place", { timeout: 120_000 }, async () => {
  const unit = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~+/=!%");
  const key = fc
    .string({ unit, minLength: 16, maxLength: 64 })
    .filter((each) => new Set(each).size >= 8 && each.trim() === each);
  const spelling = fc.constantFrom(
    (each: string) => each,
    encodeURIComponent,
    (each: string) => JSON.stringify(JSON.stringify(each)),
    (each: string) => `${each}${each}`,
    (each: string) => each.slice(1),
  );
  await fc.assert(
    fc.asyncProperty(
      key,
      spelling,
      fc.constantFrom(...Object.keys(CLIENTS)),
      fc.constantFrom(200, 400, 401, 503),
      fc.string({ maxLength: 320 }),
      async (secret, spell, client, status, before) => {
        echo = text(status, (sent) => `${before}${spell(sent)}${before}`);
        expectNoSecret(await outcomeOf(CLIENTS[client] as never, secret), secret);
      },
    ),
    { numRuns: 300 },
  );
});

it("left nothing of it in the cache", async () => {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    expectNoSecret(entry.name, KEY);
    if (entry.isFile()) expectNoSecret(await readFile(join(entry.parentPath, entry.name), "latin1"), KEY);
  }
});
