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
  /** Removes files of this process's requests, and of processes of this machine that have ended: a crash left them. */
  sweep(folder: string): Promise<void>;
}

/** vLLM names a file by its request's id, with more in front and behind; the id is ours to choose. */
export function createRequestNames(): RequestNames {
  const host = fingerprint(hostname()).slice(0, 8);
  const own = `sep-${host}-${process.pid}-${randomBytes(6).toString("hex")}`;
  let count = 0;
  return {
    next: () => `${own}-${count++}`,
    isOf: (path, name) => new RegExp(`(^|-)${name}-.*\\.safetensors$`).test(basename(path)),
    async sweep(folder) {
      const names = await readdir(folder).catch(() => [] as string[]);
      for (const name of names) {
        const found = new RegExp(`sep-${host}-(\\d+)-[0-9a-f]{12}-\\d+-`).exec(name);
        if (found === null) continue;
        const isOver = name.includes(`${own}-`) || !(await isProcessAlive(Number(found[1]), null));
        if (isOver) await rm(join(folder, name), { force: true });
      }
    },
  };
}
