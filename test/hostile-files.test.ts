import { execFile } from "node:child_process";
import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeNpy } from "../src/formats/npy.ts";
import { encodeZip } from "../src/formats/zip.ts";

// What a small file from a stranger can make a reader take: measured in a process of its own, which node itself fills
// with some 60 MB.
const MOST_MB = 400;
/** Of an error's message. */
const MOST_CHARACTERS = 600;

/** Where a process can ask for the most that it took. */
const hasProc = process.platform === "linux";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-hostile-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Reading {
  readonly code: string | null;
  readonly message: string;
  readonly peakMb: number;
}

/** Calls an exported function of the built package with the file's path. */
async function read(module: string, name: string, path: string, then = ""): Promise<Reading> {
  const dist = pathToFileURL(join(import.meta.dirname, "../dist", module)).href;
  const script = `
    import { readFileSync } from "node:fs";
    const { ${name} } = await import(${JSON.stringify(dist)});
    let [code, message] = [null, ""];
    try {
      const result = await ${name}(${JSON.stringify(path)}, { parse: (value) => value });
      message = JSON.stringify(${then || "null"});
    } catch (error) {
      code = error.code ?? error.name;
      message = error.message;
    }
    // getrusage begins with what the parent had
    const status = readFileSync("/proc/self/status", "utf8");
    console.log(JSON.stringify({ code, message, peakMb: Number(/VmHWM:\\s+(\\d+) kB/.exec(status)[1]) / 1024 }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  return JSON.parse(stdout) as Reading;
}

function expectBounded({ message, peakMb }: Reading): void {
  expect(message.length).toBeLessThan(MOST_CHARACTERS);
  expect(peakMb).toBeLessThan(MOST_MB);
}

/** An archive whose entries are deflated; `encodeZip` writes them as they are. */
function deflatedZip(entries: ReadonlyMap<string, Uint8Array>): Buffer {
  const packed = new Map([...entries].map(([name, content]) => [name, deflateRawSync(content)]));
  const archive = Buffer.from(encodeZip(packed));
  // in the directory at its end: method, checksum and size of what is unpacked
  let at = archive.readUInt32LE(archive.length - 6);
  for (const content of entries.values()) {
    archive.writeUInt16LE(8, at + 10);
    archive.writeUInt32LE(checksumOf(content), at + 16);
    archive.writeUInt32LE(content.length, at + 24);
    at += 46 + archive.readUInt16LE(at + 28);
  }
  return archive;
}

/** Of the same content stored. */
const checksumOf = (content: Uint8Array): number => {
  const stored = Buffer.from(encodeZip(new Map([["x", content]])));
  return stored.readUInt32LE(14);
};

test.skipIf(!hasProc)(
  "an archive of gigabytes of zeros is refused by its names, and unpacked only within bounds",
  { timeout: 120_000, tags: ["long"] },
  async () => {
    const path = join(folder, "zeros.npz");
    const zeros = encodeNpy({ dtype: "f4", shape: [80_000, 512], data: new Float32Array(40_960_000) });
    const names = Array.from({ length: 12 }, (_, i) => `other_${i}.npy`);
    const bomb = deflatedZip(new Map(names.map((name) => [name, zeros])));
    expect(bomb.length).toBeLessThan(2.5e6); // of 2 GB
    await writeFile(path, bomb);
    const refused = await read("study/exchange/foreign-arrays.js", "readForeignArrays", path);
    expect(refused).toMatchObject({ code: "bad-artifact" });
    expect(refused.message).toContain("it has other_0, other_1, other_2, other_3, other_4 and 7 more");
    expectBounded(refused);

    const all = await read(
      "store/array-file.js",
      "readNpz",
      path,
      "Object.values(result).map(({ data }) => data.length)",
    );
    expect(all).toMatchObject({ code: "bad-artifact" });
    expect(all.message).toMatch(
      /"other_1.npy" makes 327680\d+ bytes of an archive of \d+, at most \d+ are unpacked/,
    );
    expectBounded(all);
  },
);

test.skipIf(!hasProc)(
  "60,000 names and a header of 60,000 bytes are not printed",
  async () => {
    const path = join(folder, "names.npz");
    const one = encodeNpy({ dtype: "u1", shape: [1], data: Uint8Array.of(1) });
    await writeFile(path, encodeZip(new Map(Array.from({ length: 60_000 }, (_, i) => [`n${i}.npy`, one]))));
    const names = await read("study/exchange/foreign-arrays.js", "readForeignArrays", path);
    expect(names.message).toContain("n0, n1, n2, n3, n4 and 59,995 more");
    expectBounded(names);

    const header = Buffer.from(
      `{'descr': [${"('a', '<f4'),".repeat(700)}], 'fortran_order': False, 'shape': (1,), }`,
    );
    const length = Buffer.alloc(2);
    for (const [padding, what] of [
      [0, "has no plain descr"],
      [60_000 - header.length, "the NPY header has 60000 bytes, at most 10000 are read"],
    ] as const) {
      length.writeUInt16LE(header.length + padding);
      const npy = Buffer.concat([
        Buffer.from("\x93NUMPY\x01\x00", "latin1"),
        length,
        header,
        Buffer.alloc(padding, " "),
      ]);
      await writeFile(
        path,
        encodeZip(
          new Map([
            ["question_ids.npy", npy],
            ["hidden_states.npy", one],
          ]),
        ),
      );
      const refused = await read("study/exchange/foreign-arrays.js", "readForeignArrays", path);
      expect(refused.message).toContain(what);
      expectBounded(refused);
    }
  },
  120_000,
);

test.skipIf(!hasProc)("strings of no characters are refused, however many a header claims", async () => {
  const path = join(folder, "empty-strings.npz");
  const header = "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000,), }\n";
  const prefix = Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length)}\x00`, "latin1");
  const npy = Buffer.concat([prefix, Buffer.from(header)]);
  await writeFile(
    path,
    encodeZip(
      new Map([
        ["question_ids.npy", npy],
        ["hidden_states.npy", npy],
      ]),
    ),
  );
  const refused = await read("study/exchange/foreign-arrays.js", "readForeignArrays", path);
  expect(refused).toMatchObject({
    code: "bad-artifact",
    message: expect.stringContaining("numpy type <U0 is not read"),
  });
  expectBounded(refused);
});

test.skipIf(!hasProc)("a safetensors header of nothing but names is refused by its length", async () => {
  const path = join(folder, "names.safetensors");
  const tensors = Array.from({ length: 1_500_000 }, (_, i) => `"${i}":{}`);
  const json = Buffer.from(`{${tensors.join(",")}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFile(path, Buffer.concat([length, json]));
  const refused = await read("store/safetensors.js", "readSafetensorsHeader", path);
  expect(refused).toMatchObject({
    code: "bad-artifact",
    message: expect.stringContaining("at most 8000000"),
  });
  expectBounded(refused);
});

test.skipIf(!hasProc)("a long name in a safetensors header is shown by its beginning", async () => {
  const path = join(folder, "long-name.safetensors");
  const json = Buffer.from(
    JSON.stringify({ ["x".repeat(64_000)]: { dtype: "y".repeat(64_000), shape: [], data_offsets: [0, 0] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFile(path, Buffer.concat([length, json]));
  expectBounded(await read("store/safetensors.js", "readSafetensorsHeader", path));
});

test.skipIf(!hasProc)("a line of 256 MiB is passed over, and the others are read", async () => {
  const path = join(folder, "line.jsonl");
  await writeFile(path, '{"a": 1}\n"');
  await truncate(path, 2 ** 28); // zeros, which take no room on the disk
  const file = await open(path, "a");
  await file.write('"\n{"a": 2}\n');
  await file.close();
  const content = await read("store/jsonl.js", "readJsonl", path, "result");
  expect(JSON.parse(content.message)).toMatchObject({
    rows: [{ a: 1 }, { a: 2 }],
    problems: [{ line: 2, reason: "the line has 268435448 bytes, at most 67108864 are read" }],
  });
  expect(content.peakMb).toBeLessThan(MOST_MB);
});

test.skipIf(!hasProc).each([
  ["store/manifest.js", "readManifest", "m.manifest.json"],
  ["study/probe-files.js", "loadProbe", "probe.json"],
])("%s reads no file of a gigabyte", async (module, name, file) => {
  const path = join(folder, file);
  await writeFile(path, "{");
  await truncate(path, 2 ** 30);
  const refused = await read(module, name, path);
  expect(refused).toMatchObject({
    code: "bad-artifact",
    message: expect.stringContaining("more than 16777216 bytes"),
  });
  expectBounded(refused);
});
