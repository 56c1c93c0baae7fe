import { type FileHandle, open } from "node:fs/promises";
import { SepError } from "../errors.ts";
import { layoutSafetensors } from "../formats/encode-safetensors.ts";
import { stableStringify, stringifyRow } from "../formats/json.ts";
import type { SafetensorsHeader, TensorEntry } from "../formats/safetensors.ts";
import { readExactly } from "../store/read-file.ts";
import { readSafetensorsHeader } from "../store/safetensors.ts";
import { writeAtomic, writeExactly } from "../store/write-atomic.ts";
import type { TraceRow } from "./state-index.ts";

/** Rows that are read and written at once: those of a shard are already in the order in which they are needed. */
const CHUNK_BYTES = 1 << 18;

/** A file of hidden states that is a part of the merged one. */
interface StatesPart {
  readonly path: string;
  /** What messages call it, such as "shard 1/2". */
  readonly name: string;
}

/** The lines of one question in a part's index. */
interface IndexedQuestion {
  /** Place of the part in the list. */
  readonly place: number;
  readonly lines: readonly Buffer[];
}

/**
 * Joins hidden-states files and their indices. Rows are renumbered, in the order of the questions.
 * @param questions the indices' lines in the order of the study's questions
 * @throws SepError `shards-differ` if the files have other tensors or other metadata
 */
export async function mergeHiddenStates(
  parts: readonly StatesPart[],
  questions: AsyncIterable<IndexedQuestion>,
  { states, index }: { readonly states: string; readonly index: string },
): Promise<void> {
  const headers = await readHeaders(parts);
  const owners = await mergeIndex(index, questions);
  const [first] = headers as [SafetensorsHeader];
  const names = [...first.tensors.keys()];
  const specs = names.map((name) => {
    const { dtype, shape } = first.tensors.get(name)!;
    const rows = headers.reduce((sum, { tensors }) => sum + tensors.get(name)!.shape[0]!, 0);
    return { name, dtype, shape: [rows, shape[1]!] };
  });
  const layout = layoutSafetensors(specs, first.metadata);
  const files: FileHandle[] = [];
  try {
    for (const { path } of parts) files.push(await open(path));
    await writeAtomic(states, async (target) => {
      await writeExactly(target, layout.header, 0);
      for (const name of names) {
        const { begin, shape } = layout.entries.get(name)!;
        const sources = files.map((file, i) => readRows(file, headers[i]!.tensors.get(name)!));
        const ofPosition = owners.get(name.slice(0, name.lastIndexOf(".layer."))) ?? [];
        if (ofPosition.length !== shape[0])
          throw new SepError(
            "shards-differ",
            `The shards' "${name}" have ${shape[0]} rows, but their indices have ${ofPosition.length}. Trace the shards again with --force.`,
          );
        await writeRows(target, begin, ofPosition, sources);
      }
    });
  } finally {
    for (const file of files) await file.close();
  }
}

async function readHeaders(parts: readonly StatesPart[]): Promise<readonly SafetensorsHeader[]> {
  const headers: SafetensorsHeader[] = [];
  for (const { path } of parts) headers.push(await readSafetensorsHeader(path));
  const describe = ({ metadata, tensors }: SafetensorsHeader): string =>
    stableStringify({
      metadata,
      tensors: [...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape[1]!]),
    });
  const differs = headers.findIndex((header) => describe(header) !== describe(headers[0]!));
  if (differs === -1) return headers;
  const { path, name } = parts[differs]!;
  throw new SepError(
    "shards-differ",
    `${path} of ${name} has different tensors or metadata than ${parts[0]!.path}. Trace both with the same options and versions.`,
  );
}

/** @returns by position, the index of the part that each row comes from */
async function mergeIndex(
  path: string,
  questions: AsyncIterable<IndexedQuestion>,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const owners = new Map<string, number[]>();
  await writeAtomic(path, async (file) => {
    for await (const { place, lines } of questions) {
      const rows = lines.map((line) => {
        const row = JSON.parse(line.toString()) as TraceRow;
        const ofPosition = owners.get(row.position) ?? [];
        owners.set(row.position, ofPosition);
        ofPosition.push(place);
        return `${stringifyRow({ ...row, row: ofPosition.length - 1 })}\n`;
      });
      await writeExactly(file, Buffer.from(rows.join("")), null);
    }
  });
  return owners;
}

/** Rows of one tensor, one after another. */
interface Rows {
  readonly rowBytes: number;
  next(): Promise<Uint8Array>;
}

function readRows(file: FileHandle, { begin, end, shape }: TensorEntry): Rows {
  const rowBytes = shape[0] === 0 ? 0 : (end - begin) / shape[0]!;
  const rowsAtOnce = Math.max(1, Math.floor(CHUNK_BYTES / Math.max(1, rowBytes)));
  let at = begin;
  let chunk: Uint8Array = new Uint8Array(0);
  return {
    rowBytes,
    async next() {
      if (chunk.length === 0) {
        chunk = await readExactly(file, at, Math.min(rowsAtOnce * rowBytes, end - at));
        at += chunk.length;
      }
      const row = chunk.subarray(0, rowBytes);
      chunk = chunk.subarray(rowBytes);
      return row;
    },
  };
}

async function writeRows(
  target: FileHandle,
  begin: number,
  owners: readonly number[],
  sources: readonly Rows[],
): Promise<void> {
  let at = begin;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(held);
    await writeExactly(target, bytes, at);
    at += bytes.length;
    held = [];
    heldBytes = 0;
  };
  for (const owner of owners) {
    const row = await sources[owner]!.next();
    held.push(row);
    heldBytes += row.length;
    if (heldBytes >= CHUNK_BYTES) await flush();
  }
  await flush();
}
