import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SepError } from "../errors.ts";
import { errnoOf, explainCacheError, explainFileError, makeFolder, withFile } from "./file-error.ts";
import { writeAtomic } from "./write-atomic.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-file-error-"));
});
afterAll(() => rm(folder, { recursive: true }));

const systemError = (code: string, more: object = {}): Error =>
  Object.assign(new Error(`${code}: it was so, write`), { code, errno: -1, syscall: "write", ...more });

test.each([
  ["ENOSPC", "disk-full", /^The disk is full: \/a\/b cannot be written \(ENOSPC\)\. Free some space/],
  ["EDQUOT", "disk-full", /^Your quota on the disk is used up: \/a\/b cannot be written \(EDQUOT\)/],
  ["EFBIG", "disk-full", /^The file is larger than the file system or `ulimit -f` allows: \/a\/b/],
  ["EACCES", "permission-denied", /^No permission for \/a\/b \(EACCES\)/],
  ["EPERM", "permission-denied", /\(EPERM\)/],
  ["EROFS", "permission-denied", /^\/a\/b is on a read-only file system/],
  ["EISDIR", "is-a-folder", /^\/a\/b is a folder, expected a file/],
  ["ENOTDIR", "not-a-folder", /^\/a\/b leads through a file/],
  ["EMFILE", "too-many-open-files", /ulimit -n 4096/],
  ["ENFILE", "too-many-open-files", /machine has too many/],
  [
    "ENAMETOOLONG",
    "bad-path",
    /^The path \/a\/b has 4 characters, more than .* \(ENAMETOOLONG\)\. Use a shorter/,
  ],
  ["ELOOP", "bad-path", /^The symbolic links of \/a\/b lead in a circle \(ELOOP\)/],
  ["EXDEV", "bad-path", /^\/a\/b and its temporary file are on different file systems \(EXDEV\)/],
  ["EIO", "disk-failed", /^The disk failed to read or write \/a\/b \(EIO\)/],
  ["ESTALE", "disk-failed", /^\/a\/b no longer exists on its network file system \(ESTALE\)/],
])("%s becomes %s, with the path and what to do", (errno, code, message) => {
  const cause = systemError(errno);
  for (const error of [
    explainFileError(cause, "/a/b"),
    explainFileError(systemError(errno, { path: "/a/b" })),
  ])
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(errnoOf(explainFileError(cause, "/a/b"))).toBe(errno);
});

test("a path of the length that no file system takes is shown in part", () => {
  const path = "/a".repeat(5000);
  const { message } = explainFileError(systemError("ENAMETOOLONG", { path })) as SepError;
  expect(message).toContain("has 10000 characters");
  expect(message.length).toBeLessThan(400);
});

test("Node's missing package that is there is too many open files", async () => {
  const installed = join(folder, "node_modules", "@org", "kit");
  await mkdir(installed, { recursive: true });
  await writeFile(join(installed, "package.json"), "{}");
  const importer = join(folder, "dist", "cli", "main.js");
  const missing = (wanted: string): Error =>
    Object.assign(new Error(`Cannot find package '${wanted}' imported from ${importer}`), {
      code: "ERR_MODULE_NOT_FOUND",
    });
  for (const wanted of ["@org/kit", join(installed, "index.js")])
    expect(explainFileError(missing(wanted))).toMatchObject({
      code: "too-many-open-files",
      message: expect.stringContaining(`${installed} cannot be opened (EMFILE)`),
    });
  const native = "/lib/x.node: cannot open shared object file: Too many open files";
  expect(explainFileError(Object.assign(new Error(native), { code: "ERR_DLOPEN_FAILED" }))).toMatchObject({
    code: "too-many-open-files",
    message: expect.stringContaining("/lib/x.node cannot be opened"),
  });
  for (const wanted of ["@org/other", join(folder, "node_modules", "other", "index.js")]) {
    const error = missing(wanted);
    expect(explainFileError(error)).toBe(error);
  }
});

test("what is about something else stays as it is", () => {
  const own = new SepError("one-class", "no");
  const others = [
    own,
    systemError("ENOENT"),
    systemError("EACCES", { syscall: "listen" }),
    systemError("EACCES", { syscall: "spawn python" }),
    Object.assign(new Error("no"), { code: "EACCES" }), // not of the system
    "a text",
  ];
  for (const error of others) expect(explainFileError(error, "/a/b")).toBe(error);
  expect(explainCacheError(own, "/cache", "another")).toBe(own);
});

test("a cache says how it is moved", async () => {
  const full = explainFileError(systemError("ENOSPC"), "/cache/x");
  expect(explainCacheError(full, "/cache", "another cache with HF_HOME")).toMatchObject({
    code: "disk-full",
    message: expect.stringMatching(
      /^The disk of \/cache is full\..*, or choose another cache with HF_HOME\.$/,
    ),
  });
  const found = new SepError("disk-full", "The download needs 5 GB.");
  expect(explainCacheError(found, "/cache", "another")).toBe(found);
  expect(explainCacheError(systemError("EROFS"), "/cache", "another folder with SEP_CACHE")).toMatchObject({
    code: "cache-not-writable",
    message: expect.stringMatching(
      /^\/cache cannot be written \(.*\)\. Choose another folder with SEP_CACHE\.$/,
    ),
  });
});

test("folders are made one below the other, by any number at once", async () => {
  const path = join(folder, "a", "b", "c");
  await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(folder, "a", "d"))]);
  await makeFolder(path);
  const file = join(folder, "file");
  await writeFile(file, "");
  for (const below of [file, join(file, "x"), join(file, "x", "y")])
    await expect(makeFolder(below)).rejects.toMatchObject({
      code: "not-a-folder",
      message: `The folder ${below} cannot be created: ${file} is a file. Move that file away, or use another folder.`,
    });
});

test.skipIf(process.platform !== "linux")("a folder that takes none is said at once", async () => {
  await expect(makeFolder("/proc/x/y")).rejects.toMatchObject({
    code: "permission-denied",
    message: "The folder /proc/x cannot be created: /proc does not allow new folders. Use another folder.",
  });
});

test.skipIf(process.platform !== "linux")(
  "a write that fails names the file and leaves the old one",
  async () => {
    const path = join(folder, "kept");
    await writeAtomic(path, "old");
    const write = writeAtomic(path, async () => withFile("/dev/full", () => writeFile("/dev/full", "x")));
    await expect(write).rejects.toMatchObject({ code: "disk-full" });
    expect(await readFile(path, "utf8")).toBe("old");
  },
);
