import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadProbe, saveProbe } from "semantic-entropy-probes";
import { Agent, fetch } from "undici";
import { describeCpu } from "./generate/describe-cpu.js";

// Streamed chat completions at several numbers of conversations at a time: tokens per second, time to the first token, and
// time between two tokens of an answer. Ours with the risk of every token, and without (a probe that reads no hidden states),
// in turns of one server, so that what else changes meanwhile changes both; other servers of OpenAI's API on the same weights
// and requests. See README.md.
//
//   npm run bench:serve -- --model MODEL.gguf --probe PROBE.json
//     [--peer "NAME=COMMAND with {port}"]... [--peer NAME=http://127.0.0.1:PORT]... [--questions FILE.jsonl] [--conversations 1,8,32] [--tokens 64] [--requests 64]
//     [--rounds 2]

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    probe: { type: "string" },
    /** How a server is started, or where one is that runs already. */
    peer: { type: "string", multiple: true, default: [] },
    /** What peers call the model. */
    "served-name": { type: "string", default: "default" },
    questions: { type: "string" },
    conversations: { type: "string", default: "1,8,32" },
    tokens: { type: "string", default: "64" },
    /** Per level and round. */
    requests: { type: "string", default: "64" },
    /** How often ours answers with and without risk, in turn. */
    rounds: { type: "string", default: "2" },
  },
});
const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const newTokens = Number(values.tokens);
const levels = values.conversations.split(",").map(Number);
const questions = readQuestions(values.questions);

console.log(`${describeCpu()}; Node ${process.version}; load ${loadavg()[0].toFixed(1)} at the start`);
console.log(`${newTokens} tokens per answer, ${values.requests} requests per level and round\n`);
const rows = [];
const folder = mkdtempSync(join(tmpdir(), "bench-serve-"));
if (values.probe !== undefined) {
  const probe = await loadProbe(values.probe);
  const paths = ["risk", "stateless"].map((name) => join(folder, `${name}.json`));
  await saveProbe(paths[0], probe);
  await saveProbe(paths[1], withoutStates(probe));
  const options = ["--quiet", "--port", "{port}", "--model", values.model, "--probe", paths.join()];
  const turns = [
    { name: "`sep serve`, risk per token", sep: { probe: "risk" } },
    { name: "`sep serve`, no states read", sep: { probe: "stateless" } },
  ];
  await measureServer([process.execPath, SEP, "serve", ...options], turns);
}
for (const peer of values.peer) {
  const at = peer.indexOf("=");
  const [name, how] = [peer.slice(0, at), peer.slice(at + 1)];
  if (URL.canParse(how)) await measureLevels(Number(new URL(how).port), [{ name }]);
  else await measureServer(["sh", "-c", `exec ${how}`], [{ name }]);
}
rmSync(folder, { recursive: true });
console.log(
  "| server | conversations | tokens/s | first token, median ms | first token, p99 ms | between tokens, median ms | between tokens, p99 ms |",
);
console.log("| --- | --: | --: | --: | --: | --: | --: |");
for (const row of rows) console.log(`| ${row.join(" | ")} |`);

/** The same server without the reading of hidden states: a probe of entropies alone. */
function withoutStates(probe) {
  return {
    ...probe,
    features: "mean-think-entropy",
    position: null,
    layer: null,
    layer_count: 1,
    width: 1,
    mean: Float32Array.of(0),
    scale: Float32Array.of(1),
    coefficients: Float32Array.of(1),
    familiarity: null,
  };
}

async function measureServer(command, turns) {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const [program, ...args] = command.map((part) => part.replaceAll("{port}", String(port)));
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  try {
    await untilHealthy(port, child);
    await measureLevels(port, turns);
  } finally {
    child.kill("SIGTERM");
    await new Promise((resolve) =>
      child.exitCode === null && child.signalCode === null ? child.once("close", resolve) : resolve(),
    );
  }
}

/** @param turns what the server is asked for, in turn */
async function measureLevels(port, turns) {
  // no prompt twice: a server may keep what it has run. Turns get the same questions, in another beginning
  let asked = 0;
  const runTurn = (turn, conversations, count) =>
    runLevel(port, conversations, count, {
      sep: turns[turn].sep,
      questions: take(asked, count).map((question) => `(${turn + 1}) ${question}`),
    });
  for (const turn of turns.keys()) await runTurn(turn, 2, 4); // warm
  asked += 4;
  for (const conversations of levels) {
    // short runs are noise: at least as many requests as conversations, four times
    const count = Math.max(Number(values.requests), 4 * conversations);
    const runs = turns.map(() => []);
    for (let round = 0; round < (turns.length > 1 ? Number(values.rounds) : 1); round++) {
      // whoever is first in one round is last in the next
      for (const turn of turns.map((_, index) => (index + round) % turns.length))
        runs[turn].push(await runTurn(turn, conversations, count));
      asked += count;
    }
    for (const [turn, { name }] of turns.entries()) {
      const own = runs[turn];
      const first = own.flatMap((run) => run.first);
      const between = own.flatMap((run) => run.between);
      rows.push([
        name,
        conversations,
        (sum(own.map(({ tokens }) => tokens)) / sum(own.map(({ seconds }) => seconds))).toFixed(0),
        ...[first, between]
          .flatMap((times) => [quantile(times, 0.5), quantile(times, 0.99)])
          .map((ms) => ms.toFixed(0)),
      ]);
      console.error(rows.at(-1).join("  "));
    }
    // one round has no standard error
    if (turns.length > 1 && Number(values.rounds) > 1) console.log(describeOverhead(conversations, ...runs));
  }
}

/** What the first of two costs, from round to round: 1 - its tokens per second / the other's. */
function describeOverhead(conversations, withRisk, without) {
  const speed = ({ tokens, seconds }) => tokens / seconds;
  const shares = withRisk.map((run, round) => 100 * (1 - speed(run) / speed(without[round])));
  const mean = sum(shares) / shares.length;
  const error = Math.sqrt(
    sum(shares.map((share) => (share - mean) ** 2)) / (shares.length - 1) / shares.length,
  );
  return `${conversations} conversations: risk costs ${mean.toFixed(2)}% (standard error ${error.toFixed(2)}, ${shares.length} rounds)`;
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

async function untilHealthy(port, child) {
  for (let tries = 0; tries < 2400; tries++) {
    if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}.`);
    try {
      const response = await fetch(`http://127.0.0.1:${port}/v1/models`);
      if (response.ok) return;
    } catch {
      // not listening yet
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error("The server did not start within 600 s.");
}

function take(from, count) {
  return Array.from({ length: count }, (_, index) => questions[(from + index) % questions.length]);
}

async function runLevel(port, conversations, count, { sep, questions }) {
  // a connection a request: some servers close those that they have answered on
  const dispatcher = new Agent({ connections: conversations, pipelining: 0 });
  const result = { tokens: 0, first: [], between: [] };
  let left = count;
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: conversations }, async () => {
      while (left > 0) await ask(port, dispatcher, questions[--left], sep, result);
    }),
  );
  await dispatcher.close();
  return { ...result, seconds: (performance.now() - begun) / 1000 };
}

async function ask(port, dispatcher, content, sep, result) {
  const sent = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: values["served-name"],
      messages: [{ role: "user", content }],
      max_tokens: newTokens,
      temperature: 0.6,
      top_p: 0.9,
      seed: 1,
      stream: true,
      stream_options: { include_usage: true },
      // peers must not end earlier than ours
      ignore_eos: true,
      sep,
    }),
    dispatcher,
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  let last = sent;
  let rest = "";
  let usage = 0;
  for await (const bytes of response.body) {
    rest += Buffer.from(bytes).toString();
    const lines = rest.split("\n\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: {")) continue;
      const chunk = JSON.parse(line.slice("data: ".length));
      if (chunk.error) throw new Error(JSON.stringify(chunk.error));
      usage = chunk.usage?.completion_tokens ?? usage;
      if (!chunk.choices?.some(({ delta }) => delta?.content)) continue;
      const now = performance.now();
      (last === sent ? result.first : result.between).push(now - last);
      last = now;
    }
  }
  result.tokens += usage;
}

function quantile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function readQuestions(path) {
  if (path === undefined) return Array.from({ length: 64 }, (_, i) => `What is ${11 + i} + ${7 * i}?`);
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line).question);
}
