import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { fingerprintFile } from "../../store/fingerprint.ts";

/**
 * SHA-256 of a file, lower-case hex. A large file of the hub's cache is named by it and was held against that name when
 * it was downloaded: gigabytes are not read again to learn it.
 */
export async function fingerprintStoredFile(path: string): Promise<string> {
  const stored = await realpath(path);
  const name = basename(stored);
  const isNamed = basename(dirname(stored)) === "blobs" && /^[0-9a-f]{64}$/.test(name);
  return isNamed ? name : fingerprintFile(stored);
}
