import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Fault, SeenRequest } from "./fakes/fake-hub.ts";
import { createFakeModel, etagOf, type FakeFile } from "./fakes/fake-model.ts";
import { createHubStage, type HubStage } from "./fakes/hub-stage.ts";

/** The command as it is installed; the tests' set-up has built it. */
const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const WEIGHTS = Buffer.alloc(3_000_000, "weights that do not repeat every few bytes, ".repeat(97));
const CONTENTS = { "config.json": "{}", "tokenizer.json": "{ }", "model.safetensors": WEIGHTS };
const MODEL = createFakeModel("tiny/model", CONTENTS);
const FILE = [...MODEL.commits.values()][0]?.files.get("model.safetensors") as FakeFile;

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
}

function pull(stage: HubStage): Running {
  const child = spawn(process.execPath, [SEP, "models", "pull", MODEL.id], {
    env: { ...process.env, ...stage.env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  return {
    child,
    ended: new Promise((settle, reject) => {
      child.once("error", reject);
      child.once("close", (code) => settle({ code, stderr }));
    }),
  };
}

/** The first request for the weights goes wrong. */
function createStage(fault: Fault): Promise<HubStage> {
  let left: Fault | null = fault;
  return createHubStage([MODEL], {
    fault: ({ server }) => {
      const now = server === "cdn" ? left : null;
      if (now !== null) left = null;
      return now;
    },
  });
}

const isWeights = ({ server }: SeenRequest): boolean => server === "cdn";

async function waitForBytes(path: string, sizeBytes: number): Promise<void> {
  for (;;) {
    const found = await stat(path).catch(() => null);
    if (found !== null && found.size >= sizeBytes) return;
    await delay(10);
  }
}

async function expectWhole(stage: HubStage): Promise<void> {
  const { blob, folder } = stage.cacheOf(MODEL);
  expect((await readFile(blob(etagOf(FILE)))).equals(WEIGHTS)).toBe(true);
  expect((await readdir(`${folder}/blobs`)).filter((name) => name.includes("incomplete"))).toEqual([]);
}

describe("sep models pull", () => {
  it("goes on where a killed process stopped", async () => {
    await using stage = await createStage({ holdAfter: 2_000_000 });
    const killed = pull(stage);
    await waitForBytes(stage.cacheOf(MODEL).incomplete(etagOf(FILE)), 2_000_000);
    killed.child.kill("SIGKILL");
    await killed.ended;
    const { code, stderr } = await pull(stage).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("2.0/3.0 MB (66%)") });
    expect(stage.fake.requests.filter(isWeights).map(({ range }) => range)).toEqual([null, "bytes=2000000-"]);
    await expectWhole(stage);
  });

  it("ends at Ctrl-C and goes on later", { tags: ["long"] }, async () => {
    await using stage = await createStage({ holdAfter: 1_000_000 });
    const stopped = pull(stage);
    await waitForBytes(stage.cacheOf(MODEL).incomplete(etagOf(FILE)), 1_000_000);
    stopped.child.kill("SIGINT");
    expect(await stopped.ended).toMatchObject({
      code: 130,
      stderr: expect.stringContaining("[interrupted;"),
    });
    expect((await pull(stage).ended).code).toBe(0);
    await expectWhole(stage);
  });

  it("lets a second process wait for the first, and loads each file once", { tags: ["long"] }, async () => {
    let release = (): void => undefined;
    const wait = new Promise<void>((settle) => {
      release = settle;
    });
    await using stage = await createStage({ wait });
    const first = pull(stage);
    await waitForBytes(stage.cacheOf(MODEL).incomplete(etagOf(FILE)), 0);
    const second = pull(stage);
    await new Promise<void>((settle) => {
      second.child.stderr?.on("data", (chunk: Buffer) => {
        if (String(chunk).includes("model.safetensors: waiting for a download that is already running"))
          settle();
      });
    });
    release();
    expect((await first.ended).code).toBe(0);
    expect((await second.ended).code).toBe(0);
    expect(stage.fake.requests.filter(isWeights)).toHaveLength(1);
    await expectWhole(stage);
  });
});
