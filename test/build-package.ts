import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Vitest's global set-up: tests of the command run what users run, built from the present sources. */
export default function buildPackage(): void {
  const node = (...args: readonly string[]): unknown =>
    execFileSync(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
  node("node_modules/typescript/bin/tsc", "-b", "packages/notebook/tsconfig.build.json");
  node("packages/notebook/build-page.js");
  node("src/serve/page/build-page.js");
  node("apps/page/build-page.js");
}
