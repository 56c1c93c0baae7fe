import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expectNoSecret } from "../../../test/expect-no-secret.ts";
import type { OpenRequest } from "./sidecar-message.ts";
import { type Sidecar, startSidecar } from "./start-sidecar.ts";

const FAKE = fileURLToPath(new URL("../../../test/fakes/fake-sidecar.mjs", import.meta.url));
const SCRIPT = fileURLToPath(new URL("../../../sidecars/nnsight_states.py", import.meta.url));
const OPEN: OpenRequest = {
  kind: "open",
  model: "somewhere",
  folder: "somewhere",
  revision: null,
  device: "cpu",
  dtype: "float32",
  remote: false,
};
const KEY = "ndif-0123456789-abcdefghij";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-sidecar-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** @returns the sidecar and what it said before it was ready */
async function start(mode = "", { signal }: { readonly signal?: AbortSignal } = {}) {
  const env = {
    ...process.env,
    FAKE_SIDECAR: mode,
    FAKE_SIDECAR_LOG: join(folder, "log.json"),
    FAKE_SIDECAR_CHILD: join(folder, "child"),
    NDIF_API_KEY: KEY,
  };
  const starting = startSidecar(OPEN, { python: FAKE, env, signal });
  const said: string[] = [];
  for (;;) {
    const next = await starting.next();
    if (next.done) return { sidecar: next.value, said };
    said.push(next.value);
  }
}

const readOne = (sidecar: Sidecar, signal?: AbortSignal): Promise<void> =>
  sidecar.read(
    {
      file: join(folder, "states.safetensors"),
      layers: [0],
      sequences: [{ token_ids: [1], positions: [0] }],
    },
    signal,
  );

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function waitUntilGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    if (!isAlive(pid)) return true;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}

const startedPid = async (): Promise<number> =>
  JSON.parse(await readFile(join(folder, "log.json"), "utf8")).pid;

describe("a process that starts", () => {
  it("gets the request, says what it does, and what it loaded; other lines are passed over", async () => {
    const { sidecar, said } = await start();
    await using _ = sidecar;
    expect(said).toEqual(["importing nnsight", "loading somewhere"]);
    expect(sidecar.model).toMatchObject({ block_count: 4, hidden_size: 256, blocks: "model.layers" });
    const { request } = JSON.parse(await readFile(join(folder, "log.json"), "utf8"));
    expect(request).toEqual(OPEN);
  });

  it("is killed with all that it started when it is disposed of", async () => {
    const { sidecar } = await start("with-child");
    const pids = [await startedPid(), Number(await readFile(join(folder, "child"), "utf8"))];
    expect(pids.map(isAlive)).toEqual([true, true]);
    await sidecar[Symbol.asyncDispose]();
    expect(await Promise.all(pids.map(waitUntilGone))).toEqual([true, true]);
  });

  it("is killed when its start is cancelled", async () => {
    const controller = new AbortController();
    const starting = start("never-ready", { signal: controller.signal });
    while ((await readFile(join(folder, "log.json"), "utf8").catch(() => "")) === "")
      await new Promise((resolve) => setTimeout(resolve, 25));
    controller.abort(new Error("enough"));
    await expect(starting).rejects.toThrow("enough");
    expect(await waitUntilGone(await startedPid())).toBe(true);
  });

  it("ends by itself when the process that started it is killed", async () => {
    const program = join(folder, "parent.mjs");
    await writeFile(
      program,
      `import { spawn } from "node:child_process";
       const child = spawn(${JSON.stringify(FAKE)}, [], { detached: true, stdio: ["pipe", "inherit", "inherit"] });
       child.stdin.write(${JSON.stringify(`${JSON.stringify(OPEN)}\n`)});
       setInterval(() => undefined, 1000);`,
    );
    const parent = spawn(process.execPath, [program], {
      env: { ...process.env, FAKE_SIDECAR_LOG: join(folder, "log.json") },
      stdio: "ignore",
    });
    while ((await readFile(join(folder, "log.json"), "utf8").catch(() => "")) === "")
      await new Promise((resolve) => setTimeout(resolve, 25));
    parent.kill("SIGKILL");
    expect(await waitUntilGone(await startedPid())).toBe(true);
  });
});

describe("a process that does not get ready", () => {
  it.each([
    ["no-nnsight", "nnsight-missing", /No module named 'nnsight'.*pip install nnsight/],
    ["no-cuda", "device-unavailable", /finds no CUDA device.*--nnsight-device cpu/],
    ["load-out-of-memory", "out-of-memory", /does not fit.*--dtype bfloat16/],
    ["bad-dtype", "bad-option", /int8 is no floating-point type.*float32/],
    ["encoder-decoder", "unsupported-model", /T5.*encoder and a decoder.*Use another model/],
    ["other-failure", "sidecar-failed", /unknown model type.*SEP_DEBUG=1/],
    ["prints-and-dies", "sidecar-failed", /exit code 3.*the last thing it said/s],
    ["killed", "out-of-memory", /was killed.*memory was full/],
  ])("%s is %s", async (mode, code, message) => {
    await expect(start(mode)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await waitUntilGone(await startedPid())).toBe(true);
  });

  it("says which program is not there, and what to do", async () => {
    const none = startSidecar(OPEN, { python: join(folder, "no-python") }).next();
    await expect(none).rejects.toMatchObject({
      code: "python-missing",
      message: expect.stringMatching(/--python names .*no-python, which is not installed.*uv/),
    });
    const withoutUv = startSidecar(OPEN, { env: { PATH: folder } }).next();
    await expect(withoutUv).rejects.toMatchObject({
      code: "python-missing",
      message: expect.stringMatching(/`uv`, which is not installed.*--python PATH/),
    });
  });

  it("runs the script by uv when no Python is named", async () => {
    const uv = join(folder, "uv");
    await writeFile(uv, `#!/bin/sh\necho "$@" > ${join(folder, "arguments")}\nexec ${FAKE}\n`, {
      mode: 0o755,
    });
    const starting = startSidecar(OPEN, { env: { ...process.env, PATH: `${folder}:${process.env.PATH}` } });
    let next = await starting.next();
    while (!next.done) next = await starting.next();
    await next.value[Symbol.asyncDispose]();
    expect(await readFile(join(folder, "arguments"), "utf8")).toBe(`run --script ${SCRIPT}\n`);
  });
});

describe("a read", () => {
  it("that fails says why, and the next is answered", async () => {
    const { sidecar } = await start();
    await using _ = sidecar;
    await expect(readOne(sidecar)).rejects.toMatchObject({
      code: "sidecar-failed",
      message: expect.stringContaining("no recording of 1"),
    });
    await expect(readOne(sidecar)).rejects.toMatchObject({ code: "sidecar-failed" });
  });

  it("is out of memory", async () => {
    const { sidecar } = await start("read-out-of-memory");
    await using _ = sidecar;
    await expect(readOne(sidecar)).rejects.toMatchObject({ code: "out-of-memory" });
  });

  it("is rejected when the process ends, and so is every read after it", async () => {
    const { sidecar } = await start("dies-reading");
    await using _ = sidecar;
    await expect(readOne(sidecar)).rejects.toMatchObject({
      code: "sidecar-failed",
      message: expect.stringContaining("exit code 1"),
    });
    await expect(readOne(sidecar)).rejects.toMatchObject({ code: "sidecar-failed" });
  });

  it("is given up at once when it is cancelled", async () => {
    const { sidecar } = await start("hangs");
    await using _ = sidecar;
    const controller = new AbortController();
    const reading = readOne(sidecar, controller.signal);
    controller.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
  });
});

it.each(["says-its-key", "prints-its-key"])("keeps the key to itself where the process %s", async (mode) => {
  const failed = await start(mode).catch((error: Error) => error);
  expect(failed).toMatchObject({ code: "sidecar-failed", message: expect.stringContaining("[redacted]") });
  expectNoSecret(inspect(failed), KEY);
});
