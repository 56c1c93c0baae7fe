import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFingerprint, fingerprintFile, hashFile } from "./fingerprint.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-fingerprint-"));
});
afterEach(() => rm(folder, { recursive: true }));

const MIB = 2 ** 20;
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const [SMALL, LARGE] = [randomBytes(16 * MIB), randomBytes(40 * MIB + 3)];
const PIECE = 2 ** 16;
const OF_LARGE = `64KiB-crc32:${sha256(
  Buffer.concat(
    Array.from({ length: Math.ceil(LARGE.length / PIECE) }, (_, i) => {
      const checksum = Buffer.alloc(4);
      checksum.writeUInt32BE(crc32(LARGE.subarray(i * PIECE, (i + 1) * PIECE)));
      return checksum;
    }),
  ),
).toString("hex")}`;

describe("fingerprintFile", () => {
  it.each([
    ["nothing", SMALL.subarray(0, 0)],
    ["16 MiB", SMALL],
  ])("is the SHA-256 of a file of %s", async (_, bytes) => {
    const path = join(folder, "small");
    await writeFile(path, bytes);
    expect(await fingerprintFile(path)).toBe(sha256(bytes).toString("hex"));
    expect(await hashFile(path)).toBe(sha256(bytes).toString("hex"));
  });

  it("is the SHA-256 of the CRC-32s of a larger file's pieces", async () => {
    const path = join(folder, "large");
    await writeFile(path, LARGE);
    expect(await fingerprintFile(path)).toBe(OF_LARGE);
    expect(await hashFile(path)).toBe(sha256(LARGE).toString("hex"));
  });

  it("says what is wrong with a file", async () => {
    await expect(fingerprintFile(join(folder, "none"))).rejects.toThrow(/none/);
  });
});

describe("createFingerprint", () => {
  const SIZE = 17 * MIB + 5;
  /** Stretches of a few to some hundred kilobytes that cover a file. */
  const CUTS: [number, number][] = [];
  for (let at = 0, i = 1; at < SIZE; i++) {
    const end = Math.min(SIZE, at + 1 + ((i * 7919 * 104_729) % 300_000));
    CUTS.push([at, end]);
    at = end;
  }
  const swapped = CUTS.map(
    (_, i) => CUTS[i % 5 === 0 && i + 1 < CUTS.length ? i + 1 : i % 5 === 1 ? i - 1 : i]!,
  );

  it.each<[string, readonly (readonly [number, number])[]]>([
    ["in order", CUTS],
    ["in reverse order", CUTS.toReversed()],
    ["with neighbours in the other order", swapped],
    ["with every stretch twice", CUTS.flatMap((cut) => [cut, cut])],
    ["again from its beginning", [...CUTS, ...CUTS.slice(0, 9)]],
    [
      "again within each stretch",
      CUTS.flatMap(([begin, end]) =>
        [
          [begin, end],
          [begin + (end - begin) / 2, end - 1],
        ].map(([a, b]) => [Math.floor(a!), Math.max(Math.floor(a!), b!)] as const),
      ),
    ],
    ["in part", CUTS.slice(20, 60)],
    ["not at all", []],
  ])("is that of a file which is filled %s", async (_, stretches) => {
    const path = join(folder, "growing");
    await using file = await open(path, "w+");
    await file.truncate(SIZE);
    const growing = createFingerprint(file, SIZE);
    for (const [index, [begin, end]] of stretches.entries()) {
      const bytes = Buffer.alloc(end - begin, index + 1);
      await file.write(bytes, 0, bytes.length, begin);
      growing.wrote(bytes, begin);
    }
    const found = await growing.finish();
    expect(found).toBe(await fingerprintFile(path));
    expect(found).toMatch(/^64KiB-crc32:/);
  });

  it("has little left to read at the end", async () => {
    const growing = createFingerprint(null as never, SIZE); // a file that cannot be read
    for (const [begin, end] of CUTS) growing.wrote(Buffer.alloc(end - begin, 1), begin);
    await writeFile(join(folder, "ones"), Buffer.alloc(SIZE, 1));
    expect(await growing.finish()).toBe(await fingerprintFile(join(folder, "ones")));
  });
});
