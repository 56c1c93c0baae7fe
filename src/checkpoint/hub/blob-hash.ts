import { createHash } from "node:crypto";

/** Checks content against the name that the hub gives it. */
export interface BlobHash {
  update(bytes: Uint8Array): void;
  /** Call once, after the last byte. */
  matches(): boolean;
}

/**
 * The hub names large files by their SHA-256 and small ones by git's SHA-1 of a blob.
 * @param sizeBytes of the whole content
 * @returns null for any other kind of name, which says nothing about the content
 * @see https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
 */
export function createBlobHash(etag: string, sizeBytes: number): BlobHash | null {
  const algorithm = /^[0-9a-f]{64}$/.test(etag) ? "sha256" : /^[0-9a-f]{40}$/.test(etag) ? "sha1" : null;
  if (algorithm === null) return null;
  const hash = createHash(algorithm);
  if (algorithm === "sha1") hash.update(`blob ${sizeBytes}\0`);
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    matches: () => hash.digest("hex") === etag,
  };
}
