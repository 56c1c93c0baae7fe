import { readFileSync } from "node:fs";

/** This package's name and version, as its package.json has them. */
export function readTool(): { readonly name: string; readonly version: string } {
  const { name, version } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as { name: string; version: string };
  return { name, version };
}
