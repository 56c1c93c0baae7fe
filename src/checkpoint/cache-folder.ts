import { homedir } from "node:os";
import { join } from "node:path";

/** A folder below this tool's own cache: `SEP_CACHE`, else `XDG_CACHE_HOME`, else `~/.cache`. */
export function cacheFolder(name: string): string {
  const own = process.env.SEP_CACHE;
  if (own) return join(own, name);
  const shared = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(shared, "semantic-entropy-probes", name);
}
