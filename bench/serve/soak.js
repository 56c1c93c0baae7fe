// Many streamed requests to a real `sep serve`, one in five of them broken by the client: gone at a random point, half a
// body, a reader that stops. Every answer that arrives must be the one that its request asked for, with its risk, by an offline
// score; and the server must end with the memory and the file descriptors that it began with. With --upstream, what the probe
// says not to give is asked of another server, which is killed and started again all the time: such an answer must be the
// other server's or, with a warning, the model's own.
//   npm run bench:soak -- --requests 100000 [--upstream]
import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadModel, loadProbe, scoreQuestion } from "semantic-entropy-probes";
import { Agent, fetch } from "undici";
import { upstreamAnswer } from "./upstream.js";

const SEP = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const PROBE = fileURLToPath(new URL("../../models/pocket/probes/accuracy_probe.json", import.meta.url));
/** Conversations at a time. */
const CLIENTS = 48;
const QUESTIONS = 150;
const SHARE_OF_FAULTS = 0.2;
/** From the second quarter of a run to the last, medians: until then caches and heaps fill up. */
const MOST_GROWTH_MB = 50;
/** Shorter runs end before they are full (measured: level from 4,000 requests on). */
const LONG_REQUESTS = 10_000;
const MOST_GROWTH_OF_SHORT_MB = 150;
/** This process was stopped for longer than that: what a server and its clients time meanwhile has run out. */
const STOPPED_MS = 2_000;
/** Live risk against an offline score. */
const TOLERANCE = 1e-6;
const UPSTREAM = fileURLToPath(new URL("./upstream.js", import.meta.url));
/** How long an upstream lives, and how long there is none, at most. */
const LIFE_MS = 1_500;
const DEATH_MS = 500;

/**
 * @param {{ requests: number, withUpstream?: boolean, report?: (line: string) => void }} options
 * @returns what came of it; `wrong` and `lost` must be 0
 */
export async function soak({ requests, withUpstream = false, report = () => undefined }) {
  const expected = await scoreOffline();
  const upstream = withUpstream ? await startUpstream() : null;
  const server = await startServer(upstream?.port);
  // whatever stops this machine for minutes is not what is tested
  const dispatcher = new Agent({ connections: CLIENTS, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const counts = { answered: 0, escalated: 0, unreached: 0, broken: 0, askedAgain: 0, lost: 0, wrong: 0 };
  const pauses = watchPauses();
  const problems = [];
  const memory = [];
  try {
    // a server that has just started grows until its caches are full
    await runMany(Math.min(requests, 500));
    const before = await observe(server.pid);
    const begun = performance.now();
    await runMany(requests);
    const seconds = (performance.now() - begun) / 1000;
    await dispatcher.close();
    const after = await settle(server.pid, before.descriptors);
    const kills = upstream?.kills ?? 0;
    return { ...counts, kills, seconds, requests, before, after, memory, problems: problems.slice(0, 5) };
  } finally {
    pauses.end();
    await server.end();
    await upstream?.end();
  }

  async function runMany(count) {
    let next = 0;
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        while (next < count) {
          const at = next++;
          await runOne(at);
          if (at % Math.ceil(requests / 40) !== 0 || count < requests) continue;
          const { rssMb } = await observe(server.pid);
          memory.push(rssMb);
          report(`${at} of ${requests}: ${rssMb} MB, ${JSON.stringify(counts)}`);
        }
      }),
    );
  }

  async function runOne(at) {
    const random = hash(at);
    const wanted = expected[at % expected.length];
    const body = JSON.stringify({
      messages: [{ role: "user", content: wanted.question }],
      stream: true,
      temperature: 0,
    });
    if (random < SHARE_OF_FAULTS) {
      counts.broken += 1;
      return breakOne(body, random / SHARE_OF_FAULTS, hash(at + 0.5));
    }
    const begun = performance.now();
    try {
      const response = await post(body);
      const { text, risk, action, warnings } = readStream(await response.text());
      const mayEscalate = withUpstream && wanted.decision === "abstain";
      const isEscalated = mayEscalate && action === "escalated";
      const isUnreached = mayEscalate && !isEscalated && warnings.some((each) => /to escalate to/.test(each));
      const isRight =
        text === (isEscalated ? upstreamAnswer(wanted.question) : wanted.text) &&
        Math.abs(risk - wanted.risk) <= TOLERANCE &&
        (isEscalated || isUnreached || (!mayEscalate && action === null));
      if (isRight) {
        counts.answered += 1;
        counts.escalated += isEscalated ? 1 : 0;
        counts.unreached += isUnreached ? 1 : 0;
      } else {
        counts.wrong += 1;
        problems.push({ question: wanted.question, text, risk, wanted });
        report(JSON.stringify(problems.at(-1)));
      }
    } catch (error) {
      // whoever stopped both ends for minutes may have let a connection run out between them
      if (error.cause?.code === "ECONNRESET" && pauses.sawOneSince(begun)) {
        counts.askedAgain += 1;
        return runOne(at);
      }
      counts.lost += 1;
      problems.push(`${error}: ${error.cause ?? ""}`);
      report(problems.at(-1));
    }
  }

  /** @param kind in [0, 1): which fault @param when in [0, 1): how far it gets */
  async function breakOne(body, kind, when) {
    if (kind < 0.25) return sendHalf(body, when);
    const stop = new AbortController();
    const patience = setTimeout(() => stop.abort(), 5_000);
    try {
      const response = await post(body, stop.signal);
      const reader = response.body.getReader();
      let left = kind < 0.75 ? Math.floor(when * 20) : 2;
      for (;;) {
        const { done } = await reader.read();
        if (done) return;
        left -= 1;
        // a reader that stops for a while, and then goes
        if (left <= 0 && kind >= 0.75) await new Promise((resolve) => setTimeout(resolve, 200 * when));
        if (left <= 0) break;
      }
      stop.abort();
    } catch {
      // broken, as it should be
    } finally {
      clearTimeout(patience);
    }
  }

  function sendHalf(body, when) {
    return new Promise((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () => {
        socket.write(
          `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, Math.floor(when * body.length))}`,
          () => setTimeout(() => socket.destroy(), 20 * when),
        );
      });
      socket.on("error", () => undefined);
      socket.on("close", resolve);
    });
  }

  function post(body, signal) {
    return fetch(`http://127.0.0.1:${server.port}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      signal,
      dispatcher,
    });
  }
}

/** The answers to questions and their risks, one by one. */
async function scoreOffline() {
  const model = await loadModel("pocket", { threads: 1 });
  const probe = await loadProbe(PROBE);
  const questions = Array.from(
    { length: QUESTIONS },
    (_, i) => `What is ${11 + 7 * i} ${i % 2 ? "-" : "+"} ${3 + 5 * i}?`,
  );
  const expected = [];
  for (const question of questions) {
    const { output_text: text, risk, decision } = await scoreQuestion(model, probe, question);
    expected.push({ question, text, risk, decision });
  }
  await model[Symbol.asyncDispose]();
  return expected;
}

/** Sees when this process was stopped and went on, as when a machine that others measure on halts what can wait. */
function watchPauses() {
  let seen = performance.now();
  let last = Number.NEGATIVE_INFINITY;
  const look = () => {
    const now = performance.now();
    if (now - seen > STOPPED_MS) last = now;
    seen = now;
  };
  const timer = setInterval(look, STOPPED_MS / 4);
  return {
    sawOneSince(time) {
      look();
      return last > time;
    },
    end: () => clearInterval(timer),
  };
}

function readStream(text) {
  const lines = text.split("\n\n").filter((line) => line !== "");
  if (lines.at(-1) !== "data: [DONE]") throw new Error(`The stream ended with ${lines.at(-1)}`);
  const choices = lines.slice(0, -1).flatMap((line) => JSON.parse(line.slice("data: ".length)).choices);
  return {
    text: choices.map(({ delta }) => delta.content ?? "").join(""),
    ...choices.at(-1).sep,
  };
}

/** An upstream that is killed and started again on its port until the end. */
async function startUpstream() {
  let port = 0;
  let kills = 0;
  let hasEnded = false;
  let wake = () => undefined;
  const sleep = (ms) =>
    new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, ms);
    });
  const start = async () => {
    const child = spawn(process.execPath, [UPSTREAM, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
    port = await new Promise((resolve, reject) => {
      child.stdout.once("data", (line) => resolve(Number(String(line))));
      child.once("exit", (code) => reject(new Error(`the upstream ended with ${code}`)));
    });
    return child;
  };
  let child = await start();
  const living = (async () => {
    for (let life = 0; !hasEnded; life++) {
      await sleep(LIFE_MS * hash(life));
      const gone = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await gone;
      kills += 1;
      if (hasEnded) return;
      await sleep(DEATH_MS * hash(life + 0.5));
      child = await start();
    }
    child.kill("SIGKILL");
  })();
  return {
    port,
    get kills() {
      return kills;
    },
    async end() {
      hasEnded = true;
      wake();
      await living;
    },
  };
}

/** @param upstream the port of a server to escalate to, if there is one */
async function startServer(upstream) {
  const escalate = [
    "--policy",
    "escalate",
    "--escalate",
    `http://127.0.0.1:${upstream}/v1`,
    "--on-error",
    "answer",
  ];
  const child = spawn(
    process.execPath,
    [
      ...[SEP, "serve", "--port", "0", "--quiet", "--probe", PROBE, "--max-queue", "1000"],
      ...["--time-limit", "3600"],
      ...(upstream === undefined ? [] : escalate),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const address = await new Promise((resolve, reject) => {
    child.stdout.once("data", (line) => resolve(String(line).trim()));
    child.once("exit", (code) => reject(new Error(`sep serve ended with ${code}`)));
  });
  return {
    pid: child.pid,
    port: Number(new URL(address).port),
    async end() {
      child.kill("SIGTERM");
      await new Promise((resolve) => child.once("close", resolve));
    },
  };
}

async function observe(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  return { rssMb: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024), descriptors };
}

/** Waits until connections have ended, for a few seconds at most. */
async function settle(pid, descriptors) {
  for (let i = 0; ; i++) {
    const now = await observe(pid);
    if (now.descriptors <= descriptors || i === 100) return now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** The same faults in every run. */
function hash(value) {
  const x = Math.sin(value * 12.9898 + 78.233) * 43758.5453;
  return x - Math.floor(x);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      requests: { type: "string", default: "100000" },
      upstream: { type: "boolean", default: false },
    },
  });
  const outcome = await soak({
    requests: Number(values.requests),
    withUpstream: values.upstream,
    report: (line) => console.error(line),
  });
  console.log(JSON.stringify(outcome, null, 1));
  const quarter = Math.floor(outcome.memory.length / 4);
  const growth = median(outcome.memory.slice(-quarter)) - median(outcome.memory.slice(quarter, 2 * quarter));
  const mostGrowth = Number(values.requests) < LONG_REQUESTS ? MOST_GROWTH_OF_SHORT_MB : MOST_GROWTH_MB;
  const leaks = outcome.after.descriptors > outcome.before.descriptors || growth > mostGrowth;
  process.exitCode = outcome.lost + outcome.wrong > 0 || leaks ? 1 : 0;
}
