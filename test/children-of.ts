import { existsSync, readdirSync, readFileSync } from "node:fs";

/** The ids of the processes that a process and its threads have started and that still run, from /proc, the oldest first. */
export function childrenOf(pid: number): string[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks)
    .map((thread) => `${tasks}/${thread}/children`)
    .flatMap((path) => (existsSync(path) ? readFileSync(path, "utf8").split(" ").filter(Boolean) : []))
    .sort((a, b) => startOf(a) - startOf(b));
}

/** In clock ticks since the machine started: the system gives the ids of ended processes again. */
const startOf = (pid: string): number => Number(readStat(pid).split(") ")[1]?.split(" ")[19]);

const readStat = (pid: string): string =>
  existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : ") 0";
