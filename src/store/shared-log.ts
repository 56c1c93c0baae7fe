import { open } from "node:fs/promises";
import { stringifyRow } from "../formats/stringify-row.ts";
import { appendOnce } from "./append-once.ts";
import { errnoOf, explainFileError, withFile } from "./file-error.ts";
import { readExactly } from "./read-exactly.ts";

/** A file of JSON lines that any number of processes add to and read, none waiting for another. */
export interface SharedLog {
  /**
   * Rows that were added since the last call, by whomever; the first call reads all. Lines that are no JSON, such as a
   * killed writer's last one, are passed over.
   */
  readNew(): Promise<readonly unknown[]>;
  /**
   * Adds rows in one write.
   * @throws SepError `not-json`, `disk-full`
   */
  append(rows: readonly unknown[]): Promise<void>;
}

/** @param path its folder is there; the file is made by the first row */
export function createSharedLog(path: string): SharedLog {
  let offset = 0;
  return {
    async readNew() {
      const bytes = await readFrom(path, offset);
      // what another process is just writing is read when its newline is there
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      offset += end;
      return parseLines(bytes.subarray(0, end));
    },
    async append(rows) {
      if (rows.length === 0) return;
      const file = await withFile(path, () => open(path, "a"));
      try {
        // the newline in front ends what a killed writer may have left
        await appendOnce(file, path, `\n${rows.map(stringifyRow).join("\n")}\n`);
      } finally {
        await file.close();
      }
    },
  };
}

const NEWLINE = 0x0a;

async function readFrom(path: string, offset: number): Promise<Buffer> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Buffer.alloc(0);
    throw explainFileError(error, path);
  }
  try {
    const { size } = await file.stat();
    return Buffer.from(await readExactly(file, offset, Math.max(0, size - offset)));
  } finally {
    await file.close();
  }
}

function parseLines(bytes: Buffer): unknown[] {
  const rows: unknown[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
    const line = bytes.toString("utf8", start, end);
    start = end + 1;
    if (line === "") continue;
    try {
      rows.push(JSON.parse(line));
    } catch {
      // cut short, or damaged: as good as never written
    }
  }
  return rows;
}
