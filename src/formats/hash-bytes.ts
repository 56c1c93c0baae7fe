import { SepError } from "../errors.ts";

/**
 * SHA-256 by Web Crypto, lower-case hex.
 * @throws SepError `bad-artifact` in a page that has none
 */
export async function hashBytes(bytes: Uint8Array): Promise<string> {
  const { subtle } = globalThis.crypto;
  if (subtle === undefined)
    throw new SepError(
      "bad-artifact",
      "The weights cannot be checked, since this page has no Web Crypto. Serve it over https, or from localhost.",
    );
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
