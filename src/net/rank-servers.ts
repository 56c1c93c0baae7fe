import { fingerprint } from "../store/fingerprint.ts";
import type { ServerAddress } from "./server-address.ts";

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
