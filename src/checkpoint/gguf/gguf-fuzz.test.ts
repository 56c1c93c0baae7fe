import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { eachSampled } from "../../../test/each-sampled.ts";
import { SepError } from "../../errors.ts";
import { createRng, type Rng } from "../../math/rng.ts";
import { openHere } from "../tokenizer/sandboxed-tokenizer.ts";
import { parseGgufHeader } from "./gguf-header.ts";
import { interpretGguf, openGgufCheckpoint } from "./open-gguf.ts";

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/gguf/${name}.gguf`, import.meta.url));
const FILES = 60;
/** Expected codes; anything else, and above all an error that is no SepError, is a defect. */
const CODES = new Set(["bad-checkpoint", "unsupported-model", "bad-tokenizer"]);
/** Sizes and counts that a length, an offset or a type may be taken for. */
const EXTREMES = [0n, 1n, 0x7fn, 0xffffn, 0x7fffffffn, 0xffffffffn, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

describe.each(["qwen2", "gpt2"])("a damaged %s file", (name) => {
  let whole: Uint8Array;
  let headerBytes: number;
  beforeAll(async () => {
    whole = await readFile(golden(name));
    const { tensors } = parseGgufHeader(whole, whole.length, "m.gguf");
    headerBytes = Math.min(...[...tensors.values()].map(({ byteOffset }) => byteOffset));
  });

  eachSampled([[300], [1500]])("is read or refused with a clear error, in %i cases", (cases) => {
    const outcomes = { read: 0, refused: 0 };
    for (let seed = 0; seed < cases; seed++) {
      const bytes = damage(whole, headerBytes, createRng("gguf-fuzz", name, seed));
      const outcome = attempt(() =>
        openHere(interpretGguf(parseGgufHeader(bytes, bytes.length, "m.gguf"), null).tokenizerFiles),
      );
      if (outcome !== null) expectClear(outcome, `seed ${seed}`);
      outcomes[outcome === null ? "read" : "refused"]++;
    }
    // both have to occur, or the damage was no test
    expect(outcomes.read).toBeGreaterThan(cases / 20);
    expect(outcomes.refused).toBeGreaterThan(cases / 20);
  });

  describe("on disk", () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "sep-gguf-fuzz-"));
      vi.stubEnv("SEP_CACHE", folder);
    });
    afterAll(async () => {
      vi.unstubAllEnvs();
      await rm(folder, { recursive: true });
    });

    it("is opened whole or refused with a clear error", async () => {
      for (let seed = 0; seed < FILES; seed++) {
        const path = join(folder, "m.gguf");
        await writeFile(path, damage(whole, headerBytes, createRng("gguf-fuzz-disk", name, seed)));
        const outcome = await openGgufCheckpoint(path).then(
          () => null,
          (error: unknown) => error,
        );
        if (outcome !== null) expectClear(outcome, `seed ${seed}`);
      }
    });
  });
});

/** One to four changes: bits flipped, a field overwritten with an extreme, bytes taken out, or the end cut off. */
function damage(whole: Uint8Array, headerBytes: number, rng: Rng): Uint8Array {
  let bytes = Uint8Array.from(whole);
  for (let changes = 1 + rng.integer(4); changes > 0; changes--) {
    const at = rng.integer(Math.min(headerBytes, bytes.length));
    switch (rng.integer(8)) {
      case 0:
        bytes = bytes.slice(0, rng.integer(2) === 0 ? at : rng.integer(bytes.length));
        break;
      case 1:
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1 + rng.integer(9))]);
        break;
      case 2:
      case 3: {
        const value = EXTREMES[rng.integer(EXTREMES.length)] as bigint;
        const size = rng.integer(2) === 0 ? 8 : 4;
        for (let i = 0; i < size && at + i < bytes.length; i++)
          bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
        break;
      }
      default:
        if (bytes.length > 0) bytes[at] = (bytes[at] as number) ^ (1 << rng.integer(8));
    }
    if (bytes.length === 0) break;
  }
  return bytes;
}

function attempt(read: () => unknown): unknown {
  try {
    read();
    return null;
  } catch (error) {
    return error;
  }
}

function expectClear(error: unknown, label: string): void {
  expect(error, label).toBeInstanceOf(SepError);
  expect(CODES, label).toContain((error as SepError).code);
  expect((error as SepError).message.length, label).toBeLessThan(2000);
}
