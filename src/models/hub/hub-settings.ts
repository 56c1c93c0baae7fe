import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { SepError } from "../../errors.ts";

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the hub is, where its models are kept, and how it may be used: Python's huggingface_hub's own rules. */
export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** Folder with a `models--org--name` a model. */
  readonly cacheFolder: string;
  /** What decided the cache's place: a variable's name, or "default". */
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
 * @throws SepError `bad-option` if the endpoint is no http(s) address
 * @see https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
export function readHubSettings(env: Environment): HubSettings {
  const { path, reason } = locateHubCache(env);
  return {
    endpoint: readEndpoint(env),
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
 * @returns null if there is none, or `HF_HUB_DISABLE_IMPLICIT_TOKEN` keeps it back
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

function readEndpoint(env: Environment): string {
  const stated = env.HF_ENDPOINT || PUBLIC_HUB;
  if (/^https?:$/.test(URL.canParse(stated) ? new URL(stated).protocol : "")) {
    return stated.replace(/\/+$/, "");
  }
  throw new SepError("bad-option", `HF_ENDPOINT is "${stated}", expected an address such as ${PUBLIC_HUB}.`);
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
