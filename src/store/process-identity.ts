import { readFile } from "node:fs/promises";

/**
 * A text that distinguishes processes that had the same id: the machine's boot id and the process's start time.
 * @returns null if the system does not say (no /proc) or the process is gone
 */
export async function readProcessStart(pid: number): Promise<string | null> {
  const stat = await readProcFile(`/proc/${pid}/stat`);
  const boot = await readProcFile("/proc/sys/kernel/random/boot_id");
  const startTicks = stat === null ? undefined : fieldsAfterName(stat)[START_TIME_FIELD];
  return startTicks === undefined ? null : `${boot?.trim() ?? "boot"}:${startTicks}`;
}

/**
 * Whether the process that wrote down `pid` and `start` still runs on this machine. A zombie counts as gone:
 * it cannot write any more.
 * @param start what `readProcessStart(pid)` gave then; null skips the check for a reused process id
 */
export async function isProcessAlive(pid: number, start: string | null): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is such a process, but it is not ours.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const stat = await readProcFile(`/proc/${pid}/stat`);
  if (stat !== null && GONE_STATES.has(fieldsAfterName(stat)[0] ?? "")) return false;
  const startNow = await readProcessStart(pid);
  return start === null || startNow === null || start === startNow;
}

/** proc_pid_stat(5): states Z (zombie), X and x (dead). */
const GONE_STATES: ReadonlySet<string> = new Set(["Z", "X", "x"]);

/** proc_pid_stat(5): starttime is field 22; the fields after the name begin with field 3. */
const START_TIME_FIELD = 22 - 3;

/** Fields of `/proc/PID/stat` from field 3 on: the name before is in parentheses and may itself contain spaces and parentheses. */
export const fieldsAfterName = (stat: string): string[] => stat.slice(stat.lastIndexOf(")") + 2).split(" ");

async function readProcFile(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    // ESRCH: the process ended between opening and reading.
    if (["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}
