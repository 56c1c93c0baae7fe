// How fast packed weights are unpacked, and, with a file, how long it takes to open and load it for the first time and
// from the cache, each in a process of its own, with that process's largest resident memory.
//
//   npm run bench:gguf [-- --model FILE.gguf --threads N --repeats N]
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createDequantizer, GGML_TYPES } from "../dist/checkpoint/gguf/dequantize.js";
import { openGgufCheckpoint } from "../dist/checkpoint/gguf/open-gguf.js";
import { loadModel } from "../dist/checkpoint/load-model.js";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    threads: { type: "string", default: "1" },
    repeats: { type: "string", default: "5" },
    /** A child's work: "open" or "load". */
    child: { type: "string" },
  },
});

if (values.child !== undefined) {
  const start = performance.now();
  if (values.child === "open") await openGgufCheckpoint(values.model);
  else await loadModel(values.model, { threads: Number(values.threads) });
  const ms = performance.now() - start;
  console.log(JSON.stringify({ ms, peakMib: process.resourceUsage().maxRSS / 1024 }));
  process.exit();
}

console.log(`unpacking 2^22 values, the fastest of ${values.repeats} runs, node ${process.version}`);
console.log("type   MB/s packed   MB/s float32");
const dequantize = createDequantizer();
const unpacked = new Float32Array(1 << 22);
for (const { name, blockSize, blockBytes } of Object.values(GGML_TYPES)) {
  const packed = Uint8Array.from(
    { length: (unpacked.length / blockSize) * blockBytes },
    (_, i) => (i * 31 + 7) & 0x7b, // no half-precision infinities, which some CPUs add slowly
  );
  const times = Array.from({ length: Number(values.repeats) + 1 }, () => {
    const start = performance.now();
    dequantize(name, packed, unpacked);
    return performance.now() - start;
  });
  const speed = (bytes) => (bytes / 1e3 / Math.min(...times)).toFixed(0);
  console.log(
    `${name.padEnd(5)}${speed(packed.length).padStart(13)}${speed(unpacked.byteLength).padStart(15)}`,
  );
}

if (values.model !== undefined) {
  const cache = mkdtempSync(join(tmpdir(), "sep-bench-gguf-"));
  const child = (what) =>
    JSON.parse(
      execFileSync(
        process.execPath,
        [
          fileURLToPath(import.meta.url),
          "--child",
          what,
          "--model",
          values.model,
          "--threads",
          values.threads,
        ],
        { env: { ...process.env, SEP_CACHE: cache }, encoding: "utf8" },
      ),
    );
  console.log(
    `\n${values.model}: ${(statSync(values.model).size / 1e6).toFixed(0)} MB, ${values.threads} threads`,
  );
  console.log("                          seconds (fastest, slowest)   peak MiB");
  try {
    for (const [label, what, cold] of [
      ["open, unpacking", "open", true],
      ["open from the cache", "open", false],
      ["load, unpacking", "load", true],
      ["load from the cache", "load", false],
    ]) {
      const runs = Array.from({ length: Number(values.repeats) }, () => {
        if (cold) rmSync(cache, { recursive: true });
        return child(what);
      });
      const seconds = runs.map(({ ms }) => ms / 1000).sort((a, b) => a - b);
      const peak = Math.max(...runs.map(({ peakMib }) => peakMib));
      console.log(
        `${label.padEnd(24)}${seconds[0].toFixed(2).padStart(9)}${seconds.at(-1).toFixed(2).padStart(9)}${peak.toFixed(0).padStart(22)}`,
      );
    }
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}
