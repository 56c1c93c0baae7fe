// What the client costs: requests per second and CPU time against the official `openai` package, each with 64 questions
// under way, at a server that answers at once with what vLLM sends for an answer of 160 tokens.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import OpenAI from "openai";
import { buildAnswerRequest, readAnswer } from "../dist/backends/vllm/answer-protocol.js";
import { parseServerAddresses } from "../dist/net/server-address.js";
import { createServerPool } from "../dist/net/server-pool.js";

const CONCURRENCY = 64;
const REQUESTS = 1500;
const ROUNDS = 7;

const server = fork(fileURLToPath(new URL("client/serve-canned.js", import.meta.url)));
const url = await new Promise((resolve) => server.once("message", resolve));
const prompt = { text: "", tokenIds: Array.from({ length: 200 }, (_, i) => i), opensReasoning: false };
const body = (seed) =>
  buildAnswerRequest(prompt, {
    model: "canned",
    api: "completions",
    sampler: {
      temperature: 0.6,
      topP: 0.9,
      topK: 0,
      minP: 0,
      repetitionPenalty: 1,
      maxNewTokens: 160,
      stopStrings: [],
      stopTokenIds: [],
    },
    sampleSeed: seed,
    maxTokens: 160,
    endTokenIds: new Set([0]),
  });

const pool = createServerPool(parseServerAddresses(url, "url"));
const official = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 5 });
const clients = {
  "ours, sent and received": (i) => pool.post("/completions", body(i), { key: String(i) }),
  "openai, sent and received": (i) =>
    official.completions
      .create(body(i))
      .asResponse()
      .then((r) => r.text()),
  "ours, read": async (i) =>
    readAnswer((await pool.post("/completions", body(i), { key: String(i) })).text, url),
  "openai, read": (i) => official.completions.create(body(i)),
};

const results = Object.fromEntries(Object.keys(clients).map((name) => [name, []]));
for (const send of Object.values(clients)) await measure(send, 200);
for (let round = 0; round < ROUNDS; round++)
  for (const [name, send] of Object.entries(clients)) results[name].push(await measure(send, REQUESTS));
await pool[Symbol.asyncDispose]();
server.kill();

console.log(`${REQUESTS} requests, ${CONCURRENCY} at a time, median of ${ROUNDS} rounds in turn`);
console.log("| client | requests/s | CPU time, ms per request |\n| --- | --- | --- |");
for (const [name, rounds] of Object.entries(results)) {
  const of = (key) => median(rounds.map((round) => round[key]));
  console.log(`| ${name} | ${of("perSecond").toFixed(0)} | ${of("cpuMs").toFixed(2)} |`);
}

async function measure(send, count) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  let next = 0;
  const work = async () => {
    while (next < count) await send(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuMs: (user + system) / 1000 / count };
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
