import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGES = ["packages/notebook", "src/serve/page", "apps/page"];

/**
 * Vitest's global set-up: tests of the command run what users run, built from the present sources. Types are not checked,
 * which would take longer than all else and is `npm run typecheck`'s to do; the JavaScript is the same.
 */
export default async function buildPackage(): Promise<void> {
  await node("node_modules/typescript/bin/tsc", "-b", "--noCheck", "packages/notebook/tsconfig.build.json");
  await Promise.all(PAGES.map((folder) => node(`${folder}/build-page.js`)));
}

async function node(...args: readonly string[]): Promise<void> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  process.stderr.write(stdout + stderr);
}
