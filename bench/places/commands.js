// Times whole commands, with their workers and the loading of the model: one after the other, or in turns.
//
// Where other machines share the processor, two runs of the same command differ by more than what is to be measured. Commands that take turns
// meet the same machine: all are started, and all but one are stopped (SIGSTOP) at any time. A stopped command's time does not count.

import { spawn } from "node:child_process";
import { once } from "node:events";

/** Makes a command write its CPU seconds, those of its workers included, to file descriptor 3 when it ends. */
const REPORT_CPU = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from "node:fs";
  import { isMainThread } from "node:worker_threads";
  if (isMainThread) process.on("exit", () => {
    const { user, system } = process.cpuUsage();
    writeSync(3, String((user + system) / 1e6));
  });
`)}`;

function start(name, args) {
  const child = spawn(process.execPath, ["--import", REPORT_CPU, ...args], {
    stdio: ["ignore", "ignore", "inherit", "pipe"],
  });
  const command = { name, child, wallS: 0, cpuS: 0, ended: false };
  child.stdio[3].on("data", (text) => {
    command.cpuS = Number(text);
  });
  command.end = once(child, "close").then(([code]) => {
    if (code !== 0) throw new Error(`${name} ended with ${code}`);
    command.ended = true;
  });
  command.end.catch(() => {
    // whoever waits for the command gets its error
  });
  return command;
}

/** Lets `command` run until it ends, or for `seconds`; adds the time to its wall time. */
async function runFor(command, seconds) {
  let timer;
  const begun = performance.now();
  const slot = new Promise((resolve) => {
    if (Number.isFinite(seconds)) timer = setTimeout(resolve, 1000 * seconds);
  });
  command.child.kill("SIGCONT");
  await Promise.race([command.end, slot]);
  clearTimeout(timer);
  if (!command.ended) command.child.kill("SIGSTOP");
  command.wallS += (performance.now() - begun) / 1000;
}

/**
 * Wall and CPU seconds of each command, of its name and node's arguments.
 *
 * @param turnS Seconds of a turn; 0 runs each command to its end before the next one starts.
 */
export async function timeCommands(commands, turnS) {
  if (turnS === 0) {
    const done = [];
    for (const { name, args } of commands) {
      done.push(start(name, args));
      await runFor(done.at(-1), Number.POSITIVE_INFINITY);
    }
    return done;
  }
  const started = commands.map(({ name, args }) => start(name, args));
  try {
    for (const { child } of started) child.kill("SIGSTOP");
    while (started.some(({ ended }) => !ended))
      for (const command of started) if (!command.ended) await runFor(command, turnS);
  } finally {
    // stopped processes would outlive this one
    for (const { child, ended } of started) if (!ended) child.kill("SIGKILL");
  }
  return started;
}
