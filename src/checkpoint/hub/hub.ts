import { type Sleep, sleepFor } from "../../net/retry.ts";
import { findSecrets } from "../../text/find-secrets.ts";
import { createRedactor, type Redactor } from "../../text/redact.ts";
import { type Environment, type HubSettings, readHubSettings, readHubToken } from "./hub-settings.ts";

/** The Hugging Face hub, or a mirror of it, and the cache of its models on this machine. */
export interface Hub {
  readonly settings: HubSettings;
  /** Sent to the hub's own address only. */
  readonly token: string | null;
  /** Takes the token and the other secrets of the environment out of what the hub says. */
  readonly redactor: Redactor;
  readonly fetch: typeof fetch;
  readonly sleep: Sleep;
}

export interface HubOptions {
  /** `process.env` by default. */
  readonly env?: Environment | undefined;
  readonly fetch?: typeof fetch | undefined;
  /** How to wait between tries. @throws the signal's reason when it is aborted */
  readonly sleep?: Sleep | undefined;
}

/** @throws SepError `bad-option` if the environment names no usable endpoint */
export async function openHub({
  env = process.env,
  fetch: send = fetch,
  sleep = sleepFor,
}: HubOptions = {}): Promise<Hub> {
  const token = await readHubToken(env);
  const redactor = createRedactor([...findSecrets(env), ...(token === null ? [] : [token])]);
  return { settings: readHubSettings(env), token, redactor, fetch: send, sleep };
}
