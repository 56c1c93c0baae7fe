import { SepError } from "../errors.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { redactUrl } from "../text/redact.ts";

/** Where a server is. */
export interface ServerAddress {
  /** Of the OpenAI-compatible API: `http://localhost:8000/v1`. No slash at the end, no password. */
  readonly api: string;
  /** Of what the server has beside it: `http://localhost:8000`. */
  readonly root: string;
}

/**
 * Reads a server's address; a path of its own is kept, and without one the API is at `/v1`.
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
  const { origin, pathname } = new URL(url); // leaves out a password, which belongs into no artefact
  const path = pathname.replace(/\/(?:(?:chat\/)?completions)?\/*$/, "");
  const api = `${origin}${path === "" ? "/v1" : path}`;
  return { api, root: api.replace(/\/v\d+$/, "") };
}

/**
 * Several addresses, separated by commas.
 * @throws SepError `bad-option` for one that is none, or stands there twice
 */
export function parseServerAddresses(urls: string, option: string): readonly ServerAddress[] {
  const addresses = urls.split(",").map((url) => parseServerAddress(url.trim(), option));
  const twice = addresses.find(({ api }, index) => addresses.findIndex((other) => other.api === api) < index);
  if (twice === undefined) return addresses;
  throw new SepError("bad-option", `Got ${option} with ${twice.api} twice, expected each server once.`);
}

/**
 * Servers in the order in which they serve a key. A key stays with its server whatever other keys there are, and when
 * a server goes, only its own keys move.
 * @see Thaler and Ravishankar 1998 (rendezvous hashing)
 */
export function rankServers(servers: readonly ServerAddress[], key: string): readonly ServerAddress[] {
  return servers
    .map((server) => ({ server, weight: fingerprint(`${server.api}\n${key}`) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : -1))
    .map(({ server }) => server);
}
