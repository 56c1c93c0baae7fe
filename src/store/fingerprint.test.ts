import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
const OF_LARGE = `16MiB-sha256:${sha256(
  Buffer.concat([0, 16, 32].map((at) => sha256(LARGE.subarray(at * MIB, (at + 16) * MIB)))),
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

  it("is the SHA-256 of the SHA-256s of a larger file's pieces", async () => {
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
  it.each<[string, (readonly [number, number])[]]>([
    [
      "from the beginning",
      [
        [0, 10],
        [10, 20],
        [20, 41],
      ],
    ],
    [
      "from the end",
      [
        [33, 41],
        [16, 33],
        [5, 16],
        [0, 5],
      ],
    ],
    [
      "again before its piece is complete",
      [
        [0, 8],
        [0, 8],
        [8, 20],
        [20, 41],
      ],
    ],
    [
      "again when its piece is complete",
      [
        [0, 16],
        [16, 41],
        [4, 6],
        [40, 41],
      ],
    ],
    ["in part", [[0, 20]]],
  ])("is that of a file which is filled %s", async (_, stretches) => {
    const path = join(folder, "growing");
    await using file = await open(path, "w+");
    await file.truncate(LARGE.length);
    const growing = createFingerprint(file, LARGE.length);
    for (const [index, [from, to]] of stretches.entries()) {
      const bytes = Buffer.alloc(Math.min(to * MIB, LARGE.length) - from * MIB, index + 1);
      await file.write(bytes, 0, bytes.length, from * MIB);
      await growing.wrote(from * MIB, from * MIB + bytes.length);
    }
    expect(await growing.finish()).toBe(await fingerprintFile(path));
  });
});
