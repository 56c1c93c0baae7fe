#!/usr/bin/env node
// Stands for a Python with nnsight: run in place of `python nnsight_states.py`, it speaks the same protocol and serves the
// states that a real one read (test/fixtures/nnsight). FAKE_SIDECAR names a way to fail.
import { spawn } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const FIXTURES = new URL("../fixtures/nnsight/", import.meta.url);
const mode = process.env.FAKE_SIDECAR ?? "";
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const fail = (id, code, message) => say({ kind: "error", id, code, message });

const START_FAILURES = {
  "no-nnsight": ["nnsight-missing", "No module named 'nnsight' (/usr/bin/python3, Python 3.11.7)"],
  "no-cuda": ["no-device", "PyTorch 2.13.0+cpu, built without CUDA, finds no CUDA device"],
  "load-out-of-memory": ["out-of-memory", "CUDA out of memory. Tried to allocate 20.00 MiB."],
  "bad-dtype": ["bad-option", "dtype int8 is no floating-point type of PyTorch"],
  "encoder-decoder": ["bad-model", "T5ForConditionalGeneration has an encoder and a decoder"],
  "other-failure": ["failed", "ValueError: unknown model type"],
};

const recorded = readRecorded();

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.kind === "open") open(request);
  else if (request.kind === "read") read(request);
}

function open(request) {
  if (process.env.FAKE_SIDECAR_LOG !== undefined)
    writeFileSync(process.env.FAKE_SIDECAR_LOG, JSON.stringify({ pid: process.pid, request }));
  if (mode === "prints-and-dies") {
    process.stderr.write("Traceback: the last thing it said\n");
    process.exit(3);
  }
  if (mode === "prints-its-key") {
    const key = process.env.NDIF_API_KEY;
    process.stderr.write(`the key is ${key.slice(0, 9)}`);
    return setTimeout(() => {
      process.stderr.write(`${key.slice(9)}\n`);
      process.exit(3);
    }, 50);
  }
  if (mode === "says-its-key") {
    say({ kind: "progress", message: `with ${process.env.NDIF_API_KEY}` });
    return fail(null, "failed", `NDIF says: Bearer ${process.env.NDIF_API_KEY}`);
  }
  if (mode === "killed") process.kill(process.pid, "SIGKILL");
  if (mode === "never-ready") return;
  if (mode === "with-child") startChild();
  const failure = START_FAILURES[mode];
  if (failure !== undefined) return fail(null, ...failure);
  process.stdout.write("a line of some library's\n");
  say({ kind: "progress", message: "importing nnsight" });
  say({ kind: "progress", message: `loading ${request.model}` });
  const ready = JSON.parse(readFileSync(new URL("ready.json", FIXTURES), "utf8"));
  say(mode === "other-sizes" ? { ...ready, block_count: 7 } : ready);
}

/** As `uv run` does: the process that works is a child of the one that was started. */
function startChild() {
  const child = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "ignore" });
  writeFileSync(process.env.FAKE_SIDECAR_CHILD, String(child.pid));
}

function read({ id, file, layers, sequences }) {
  if (mode === "hangs") return;
  if (mode === "dies-reading") process.exit(1);
  if (mode === "read-out-of-memory") return fail(id, "out-of-memory", "CUDA out of memory.");
  const states = [];
  const tokens = [];
  for (const { token_ids, positions } of sequences) {
    const found = recorded.find((each) => each.tokens.join() === token_ids.join());
    if (found === undefined) return fail(id, "failed", `no recording of ${token_ids}`);
    for (const place of positions) {
      tokens.push(mode === "other-tokens" ? 0 : token_ids[place]);
      for (const layer of layers) states.push(found.row(place, layer));
    }
  }
  writeStates(file, Buffer.concat(states), tokens, layers.length);
  say({ kind: "states", id, file });
}

function readRecorded() {
  const bytes = readFileSync(new URL("states.safetensors", FIXTURES));
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__, ...entries } = JSON.parse(bytes.subarray(8, begin).toString());
  const data = ({ data_offsets: [from, to] }) => bytes.subarray(begin + from, begin + to);
  return Object.keys(entries)
    .filter((name) => name.startsWith("tokens."))
    .map((name) => {
      const states = entries[name.replace("tokens", "states")];
      const [, layers, width] = states.shape;
      const content = data(states);
      const integers = data(entries[name]);
      return {
        tokens: Array.from({ length: integers.length / 8 }, (_, i) => Number(integers.readBigInt64LE(8 * i))),
        row: (place, layer) => content.subarray(4 * width * (place * layers + layer)).subarray(0, 4 * width),
      };
    });
}

function writeStates(file, states, tokens, layers) {
  const shape = [tokens.length, layers, states.length / 4 / layers / tokens.length];
  const header = JSON.stringify({
    token_ids: { dtype: "I64", shape: [tokens.length], data_offsets: [0, 8 * tokens.length] },
    states: { dtype: "F32", shape, data_offsets: [8 * tokens.length, 8 * tokens.length + states.length] },
  });
  const text = header.padEnd(Math.ceil(header.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const integers = Buffer.alloc(8 * tokens.length);
  for (const [i, token] of tokens.entries()) integers.writeBigInt64LE(BigInt(token), 8 * i);
  writeFileSync(`${file}.partial`, Buffer.concat([length, Buffer.from(text), integers, states]));
  renameSync(`${file}.partial`, file);
}
