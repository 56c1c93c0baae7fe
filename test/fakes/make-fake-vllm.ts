import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Makes a program `vllm` that serves the embedded model.
 * @param folder where it goes, for the PATH
 * @returns the environment that a program needs to find and run it
 */
export async function makeFakeVllm(folder: string): Promise<Record<string, string | undefined>> {
  await mkdir(folder, { recursive: true });
  // among the packages, and as deep as src/checkpoint/ is, whose code finds the embedded model from where it is
  const bundle = join(ROOT, "node_modules", ".cache", `fake-vllm-${process.pid}.mjs`);
  await build({
    entryPoints: [join(ROOT, "test", "fakes", "serve-fake-vllm.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    target: "node20", // which knows no `await using`
    logLevel: "error",
  });
  const program = join(folder, "vllm");
  await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${bundle}" "$@"\n`);
  await chmod(program, 0o755);
  return {
    ...process.env,
    PATH: `${folder}:${process.env.PATH}`,
    FAKE_VLLM_MODEL: join(ROOT, "models", "pocket"),
  };
}
