import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { drain } from "../../net/map-concurrently.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { fingerprintStoredFile } from "./hub-cache.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-stored-"));
  await mkdir(join(folder, "blobs"));
});
afterEach(() => rm(folder, { recursive: true }));

const SHA256 = "a".repeat(64);
const GIT_SHA1 = "b".repeat(40);

it("takes a blob's name for its hash, through the snapshot's link, and reads every other file", async () => {
  const put = async (...path: string[]): Promise<string> => {
    await writeFile(join(folder, ...path), path.join("/"));
    return join(folder, ...path);
  };
  await put("blobs", SHA256);
  await symlink(join("blobs", SHA256), join(folder, "model.safetensors"));
  expect(await drain(fingerprintStoredFile(join(folder, "model.safetensors")))).toBe(SHA256);
  // git's hash of a small file, a file that only looks like a blob, and a plain one
  expect(await drain(fingerprintStoredFile(await put("blobs", GIT_SHA1)))).toBe(
    fingerprint(`blobs/${GIT_SHA1}`),
  );
  expect(await drain(fingerprintStoredFile(await put(SHA256)))).toBe(fingerprint(SHA256));
  expect(await drain(fingerprintStoredFile(await put("model.gguf")))).toBe(fingerprint("model.gguf"));
});
