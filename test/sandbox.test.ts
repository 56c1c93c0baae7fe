import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { childrenOf } from "./children-of.ts";

// Threads and processes load JavaScript, so this is the built package, as users run it.

const { loadTextTokenizer } = (await import(
  new URL("../dist/checkpoint/tokenizer/load-text-tokenizer.js", import.meta.url).href
)) as typeof import("../src/checkpoint/tokenizer/load-text-tokenizer.ts");
const CHECKPOINT = fileURLToPath(new URL("golden/checkpoints/llama-untied-llama3-rope", import.meta.url));

it.skipIf(process.platform !== "linux")(
  "a tokenizer that waits for a CPU longer than it may compute is not taken for one that never ends",
  { tags: ["long"] },
  async () => {
    const before = childrenOf(process.pid);
    const tokenizer = await loadTextTokenizer(CHECKPOINT);
    const [pid] = childrenOf(process.pid).filter((each) => !before.includes(each));
    const stopping = spawn("sh", [
      "-c",
      `for i in 1 2; do kill -STOP ${pid}; sleep 1.5; kill -CONT ${pid}; sleep 0.1; done; kill -STOP ${pid}; sleep 7; kill -CONT ${pid}`,
    ]);
    const begun = performance.now();
    // a few calls, without a turn of the event loop
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let count = 0; performance.now() - begun < 11_500; count++) {
      expect(tokenizer.encode(`1 ${count}`, { specialTokens: false })).not.toEqual([]);
      Atomics.wait(pause, 0, 0, 80);
    }
    stopping.kill();
  },
);

it.skipIf(process.platform !== "linux")(
  "a tokenizer's process that is stopped in the middle of a turn, as in a container that is paused, begins it again",
  { tags: ["long"] },
  async () => {
    const entry = fileURLToPath(new URL("../dist/checkpoint/tokenizer/sandbox-process.js", import.meta.url));
    const child = spawn(process.execPath, [entry], { stdio: ["pipe", "pipe", "ignore"] });
    const send = (content: Uint8Array): void => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(content.length);
      child.stdin.write(length);
      child.stdin.write(content);
    };
    const reply = async (): Promise<{ result?: unknown }> => {
      let received = Buffer.alloc(0);
      for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
        received = Buffer.concat([received, chunk]);
        if (received.length >= 4 && received.length >= 4 + received.readUInt32LE()) break;
      }
      return JSON.parse(received.subarray(4).toString());
    };
    const path = `${CHECKPOINT}/tokenizer.json`;
    const open = { method: "open", path, sha256: "", config: {}, chatTemplate: null, limitMs: 60_000 };
    send(Buffer.from(JSON.stringify(open)));
    send(readFileSync(path));
    expect(await reply()).toHaveProperty("result");
    const text = "one two three four ".repeat(20_000);
    const limitMs = 5000;
    send(Buffer.from(JSON.stringify({ method: "encode", text, specialTokens: false, limitMs })));
    await setTimeout(50);
    child.kill("SIGSTOP");
    await setTimeout(2 * limitMs + 500);
    child.kill("SIGCONT");
    expect((await reply()).result).not.toHaveLength(0);
    child.kill();
  },
);
