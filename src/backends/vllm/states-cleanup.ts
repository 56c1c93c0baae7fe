import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { fingerprint } from "../../store/fingerprint.ts";
import { isProcessAlive } from "../../store/process-identity.ts";

/** Names requests so that the files the server writes for them can be told from all others. */
export interface RequestNames {
  /** A name that no other request has. */
  next(): string;
  /** Whether a file was written for the request of this name. */
  isOf(path: string, name: string): boolean;
  /** Removes the files of processes of this machine that have ended: a crash left them. */
  sweepDead(folder: string): Promise<void>;
  /** Removes the files of requests named here; those that were given up may have been written later. */
  sweepOwn(folder: string): Promise<void>;
}

/** vLLM names a file by its request's id, with more in front and behind; the id is ours to choose. */
export function createRequestNames(): RequestNames {
  const host = fingerprint(hostname()).slice(0, 8);
  const own = `sep-${host}-${process.pid}-${randomBytes(6).toString("hex")}`;
  let count = 0;
  return {
    next: () => `${own}-${count++}`,
    isOf: (path, name) => new RegExp(`(^|-)${name}-.*\\.safetensors$`).test(basename(path)),
    sweepDead: (folder) =>
      removeWhere(folder, async (name) => {
        const pid = new RegExp(`sep-${host}-(\\d+)-[0-9a-f]{12}-\\d+-`).exec(name)?.[1];
        return pid !== undefined && !(await isProcessAlive(Number(pid), null));
      }),
    sweepOwn: (folder) => removeWhere(folder, async (name) => name.includes(`${own}-`)),
  };
}

async function removeWhere(folder: string, test: (name: string) => Promise<boolean>): Promise<void> {
  const names = await readdir(folder).catch(() => [] as string[]); // a folder that is gone has nothing left
  for (const name of names) if (await test(name)) await rm(join(folder, name), { force: true });
}
