import { SepError } from "../errors.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { redactUrl } from "../text/redact.ts";

/** Where a server is. */
export interface ServerAddress {
  /** Of the OpenAI-compatible API: `http://localhost:8000/v1`. No trailing slash, no password. */
  readonly api: string;
  /** Of its other endpoints, such as `/health`: `http://localhost:8000`. */
  readonly root: string;
}

/**
 * Reads a server's address. A path is kept; without one the API is at `/v1`.
 * @param option where the address was given, for the error
 * @throws SepError `bad-option`
 */
export function parseServerAddress(url: string, option: string): ServerAddress {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new SepError(
      "bad-option",
      `Got ${option} ${redactUrl(url)}, expected an address like http://localhost:8000/v1.`,
    );
  }
  const { origin, pathname } = new URL(url); // without the password, which belongs in no artifact
  const path = pathname.replace(/\/(?:(?:chat\/)?completions)?\/*$/, "");
  const api = `${origin}${path === "" ? "/v1" : path}`;
  return { api, root: api.replace(/\/v\d+$/, "") };
}

/**
 * Several addresses, separated by commas.
 * @throws SepError `bad-option` for an invalid or repeated address
 */
export function parseServerAddresses(urls: string, option: string): readonly ServerAddress[] {
  const addresses = urls.split(",").map((url) => parseServerAddress(url.trim(), option));
  const twice = addresses.find(({ api }, index) => addresses.findIndex((other) => other.api === api) < index);
  if (twice === undefined) return addresses;
  throw new SepError("bad-option", `Got ${option} with ${twice.api} twice, expected each server once.`);
}

/**
 * Servers in the order in which they are tried for a key (rendezvous hashing). The order depends on nothing but the
 * key; when a server fails, only its own keys move.
 * @see Thaler and Ravishankar 1998
 */
export function rankServers(servers: readonly ServerAddress[], key: string): readonly ServerAddress[] {
  return servers
    .map((server) => ({ server, weight: fingerprint(`${server.api}\n${key}`) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : -1))
    .map(({ server }) => server);
}
