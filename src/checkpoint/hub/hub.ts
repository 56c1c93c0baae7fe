import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { SepError } from "../../errors.ts";
import { type Sleep, sleepFor } from "../../net/retry.ts";
import { decodePercent, findSecrets } from "../../text/find-secrets.ts";
import { createRedactor, type Redactor, redactUrl } from "../../text/redact.ts";

/** The Hugging Face hub, or a mirror of it, and the cache of its models on this machine. */
export interface Hub {
  readonly settings: HubSettings;
  /** Sent to the hub's own address only. */
  readonly token: string | null;
  /** Removes the token and the other secrets of the environment from what the hub says. */
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

/** What a download reports. */
export type PullEvent =
  | PullPlan
  /** Repeatedly while a file is downloaded. The count may go back, when a damaged beginning is dropped. */
  | {
      readonly kind: "received";
      readonly file: string;
      readonly receivedBytes: number;
      readonly totalBytes: number;
    }
  /** The file is verified and in place. */
  | {
      readonly kind: "completed";
      readonly file: string;
      readonly receivedBytes: number;
      readonly totalBytes: number;
    }
  | PullNote;

/** Once, when it is known which files are missing; parts of them may have been downloaded before. */
export interface PullPlan {
  readonly kind: "planned";
  readonly files: readonly PlannedFile[];
  readonly totalBytes: number;
  /** Address of the hub. */
  readonly source: string;
  /** Of the cache. */
  readonly folder: string;
}

/** A file that will be downloaded. */
export interface PlannedFile {
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

/** A message that is not an error: a wait, another try. */
export interface PullNote {
  readonly kind: "note";
  readonly message: string;
}

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the hub and its cache are and how they may be used, by the rules of Python's huggingface_hub. */
export interface HubSettings {
  /** Without a login and without a trailing slash. */
  readonly endpoint: string;
  /** The login within `HF_ENDPOINT`, encoded for Basic authentication; null if there is none. */
  readonly login: string | null;
  /** Holds one folder `models--org--name` per model. */
  readonly cacheFolder: string;
  /** What decided where the cache is: the name of a variable, or "default". */
  readonly cacheReason: string;
  /** Never ask the hub. */
  readonly offline: boolean;
  /** Snapshots are links into the blobs; else copies. */
  readonly symlinks: boolean;
}

const PUBLIC_HUB = "https://huggingface.co";

/**
 * Reads `HF_ENDPOINT`, `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HF_HUB_OFFLINE`,
 * `TRANSFORMERS_OFFLINE` and `HF_HUB_DISABLE_SYMLINKS`. A variable that is empty counts as not set.
 * @throws SepError `bad-option` if the endpoint is not an http(s) address
 * @see https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
export function readHubSettings(env: Environment): HubSettings {
  const { path, reason } = locateHubCache(env);
  return {
    ...readEndpoint(env),
    cacheFolder: path,
    cacheReason: reason,
    offline: isOn(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    symlinks: !isOn(env.HF_HUB_DISABLE_SYMLINKS),
  };
}

/** Where Python's Hugging Face libraries keep models, and which variable says so. */
export function locateHubCache(env: Environment): { readonly path: string; readonly reason: string } {
  for (const name of ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]) {
    const stated = env[name];
    if (stated) return { path: expandPath(stated, env), reason: name };
  }
  const reason = env.HF_HOME ? "HF_HOME" : env.XDG_CACHE_HOME ? "XDG_CACHE_HOME" : "default";
  return { path: join(homeOf(env), "hub"), reason };
}

/**
 * The user's token: `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, or the file that `hf auth login` writes.
 * @returns null if there is none, or if `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set
 */
export async function readHubToken(env: Environment): Promise<string | null> {
  if (isOn(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return null;
  const stated = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  if (stated) return cleanToken(stated);
  const path = env.HF_TOKEN_PATH ? expandPath(env.HF_TOKEN_PATH, env) : join(homeOf(env), "token");
  try {
    return cleanToken(await readFile(path, "utf8"));
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}

/**
 * A redactor of the secrets in an environment and a command line, and of the hub's token, wherever it is stored.
 */
export async function openRedactor(env: Environment, args: readonly string[] = []): Promise<Redactor> {
  // an unreadable file is an error only for those who need the token, and no secret that could be shown
  const token = await readHubToken(env).catch(() => null);
  return createRedactor([...findSecrets(env, args), ...(token === null ? [] : [token])]);
}

function readEndpoint(env: Environment): Pick<HubSettings, "endpoint" | "login"> {
  const stated = env.HF_ENDPOINT || PUBLIC_HUB;
  const url = URL.canParse(stated) ? new URL(stated) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new SepError(
      "bad-option",
      `HF_ENDPOINT is "${redactUrl(stated)}", expected an address such as ${PUBLIC_HUB}.`,
    );
  }
  const { username, password } = url;
  if (username === "" && password === "") return { endpoint: stated.replace(/\/+$/, ""), login: null };
  url.username = "";
  url.password = "";
  const login = Buffer.from(`${decodePercent(username)}:${decodePercent(password)}`);
  return { endpoint: url.href.replace(/\/+$/, ""), login: login.toString("base64") };
}

const homeOf = (env: Environment): string =>
  expandPath(env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"), env);

/** `~`, `$NAME` and `${NAME}` as Python's expanduser and expandvars do; a name that is not set stays. */
const expandPath = (path: string, env: Environment): string =>
  path
    .replace(/^~(?=$|[/\\])/, () => homedir())
    .replace(/\$(?:(\w+)|\{([^}]*)\})/g, (whole, bare?: string, braced?: string) => {
      return env[bare ?? braced ?? ""] ?? whole;
    });

/** The words that Python's libraries take for yes. */
const isOn = (value: string | undefined): boolean =>
  ["1", "ON", "YES", "TRUE"].includes((value ?? "").toUpperCase());

function cleanToken(text: string): string | null {
  return text.replace(/[\r\n]/g, "").trim() || null;
}
