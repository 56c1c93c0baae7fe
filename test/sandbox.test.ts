import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

// Threads and processes load JavaScript, so this is the built package, as users run it.

const { loadTextTokenizer } = (await import(
  new URL("../dist/checkpoint/tokenizer/load-text-tokenizer.js", import.meta.url).href
)) as typeof import("../src/checkpoint/tokenizer/load-text-tokenizer.ts");
const CHECKPOINT = fileURLToPath(new URL("golden/checkpoints/llama-untied-llama3-rope", import.meta.url));

const childrenOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean),
  );

it.skipIf(process.platform !== "linux")(
  "a tokenizer that waits for a CPU longer than it may compute is not taken for one that never ends",
  { tags: ["long"] },
  async () => {
    const before = childrenOf(process.pid);
    const tokenizer = await loadTextTokenizer(CHECKPOINT);
    const [pid] = childrenOf(process.pid).filter((each) => !before.includes(each));
    const stopping = spawn("sh", [
      "-c",
      `for i in 1 2 3 4; do kill -STOP ${pid}; sleep 1.5; kill -CONT ${pid}; sleep 0.1; done`,
    ]);
    const begun = performance.now();
    // a few calls, without a turn of the event loop
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let count = 0; performance.now() - begun < 7000; count++) {
      expect(tokenizer.encode(`1 ${count}`, { specialTokens: false })).not.toEqual([]);
      Atomics.wait(pause, 0, 0, 80);
    }
    stopping.kill();
  },
);
