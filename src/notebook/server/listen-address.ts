import { networkInterfaces } from "node:os";
import { SepError } from "../../errors.ts";

const LOOPBACK = ["127.0.0.1", "localhost", "::1"];

/**
 * The names under which a server on this address is reached, with its port.
 * @param host what the server binds to
 */
export function allowedHosts(host: string, port: number): string[] {
  const names = LOOPBACK.includes(host)
    ? LOOPBACK
    : EVERYWHERE.includes(host)
      ? [
          ...LOOPBACK,
          ...Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
        ]
      : [host];
  return names.map((name) => `${name.includes(":") ? `[${name}]` : name}:${port}`.toLowerCase());
}

/**
 * A server without a token that others on the network can reach hands them this machine: that needs to be said
 * in so many words.
 * @throws SepError `bad-option`
 */
export function checkExposure(host: string, hasToken: boolean, allowsAnyone: boolean): void {
  if (hasToken || LOOPBACK.includes(host) || allowsAnyone) return;
  throw new SepError(
    "bad-option",
    `--no-token with --host ${host} would let everybody who reaches this machine run code on it. Leave --no-token out, or, if that is what you want, add --let-anyone-in.`,
  );
}

const EVERYWHERE = ["0.0.0.0", "::"];
