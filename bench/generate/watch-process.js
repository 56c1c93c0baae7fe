import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const POLL_MS = 100;
/** Of /proc/PID/stat; Linux has had this value on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Runs a command to its end and watches it with the processes that it starts (Linux).
 * @returns its output, seconds, CPU seconds, and the sum of the processes' largest resident memory
 */
export function watchProcess([command, ...args], { timeoutSeconds }) {
  const began = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const seen = new Map();
  const look = () => {
    for (const pid of processTree(child.pid)) {
      const usage = readUsage(pid);
      if (usage !== null) seen.set(pid, usage);
    }
  };
  const timer = setInterval(look, POLL_MS);
  let timedOut = false;
  const limit = setTimeout(() => {
    timedOut = true;
    for (const pid of processTree(child.pid)) process.kill(pid, "SIGKILL");
  }, timeoutSeconds * 1000);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr = (stderr + text).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(timer);
      clearTimeout(limit);
      const sum = (key) => [...seen.values()].reduce((total, usage) => total + usage[key], 0);
      if (timedOut) reject(new Error(`longer than ${timeoutSeconds} s`));
      else if (code !== 0) reject(new Error(lastLine(stderr) || `exit code ${code}`));
      else {
        const seconds = (performance.now() - began) / 1000;
        resolve({ stdout, seconds, cpuSeconds: sum("cpuSeconds"), peakRssBytes: sum("peakRssBytes") });
      }
    });
  });
}

function processTree(pid) {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter(Boolean);
    return [pid, ...children.flatMap((child) => processTree(Number(child)))];
  } catch {
    return []; // it has ended
  }
}

function readUsage(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    if (peak === null) return null;
    // of the process, without its children: those are watched themselves
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { cpuSeconds: ticks / TICKS_PER_SECOND, peakRssBytes: Number(peak[1]) * 1024 };
  } catch {
    return null; // it has ended
  }
}

const lastLine = (text) => text.trim().split("\n").at(-1).slice(0, 200);
