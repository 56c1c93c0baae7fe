import { existsSync } from "node:fs";
import nodeModule from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { fingerprint } from "semantic-entropy-probes/files";
import { writeStored } from "../storage-folder.ts";

/** Imports a module as if the notebook's file did. */
type ImportModule = (specifier: string) => Promise<unknown>;

/**
 * The `import` of a notebook's cells. Packages resolve from the notebook's folder. Local files are bundled first,
 * so that they may be TypeScript, and so that a changed file is loaded again.
 * @param path the notebook's file
 * @param bundleFolder must lie in the notebook's folder or below, so that the packages of local files resolve too
 */
export function createImporter(path: string, bundleFolder: string): ImportModule {
  registerResolver();
  const parent = pathToFileURL(path).href;
  return async (specifier) => {
    if (/^\.{0,2}\/|^file:/.test(specifier)) return import(await bundleLocal(specifier, path, bundleFolder));
    try {
      return await import(`${SCHEME}${encodeURIComponent(JSON.stringify({ specifier, parent }))}`);
    } catch (error) {
      throw explain(error, specifier, path);
    }
  };
}

async function bundleLocal(specifier: string, notebook: string, bundleFolder: string): Promise<string> {
  const entry = specifier.startsWith("file:")
    ? fileURLToPath(specifier)
    : resolve(dirname(notebook), specifier);
  if (!existsSync(entry)) throw new Error(`${specifier} cannot be imported: there is no file ${entry}.`);
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    packages: "external",
    target: "node20",
    sourcemap: "inline",
    logLevel: "silent",
  });
  const { contents } = outputFiles[0]!;
  const name = fingerprint(contents).slice(0, 24);
  const bundle = join(bundleFolder, `${name}.mjs`);
  if (!existsSync(bundle)) await writeStored(bundle, contents);
  return pathToFileURL(bundle).href;
}

function explain(error: unknown, specifier: string, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ERR_MODULE_NOT_FOUND" || !/^(@[\w.-]+\/)?[\w.-]+(\/|$)/.test(specifier)) return error;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  return new Error(
    `There is no package "${name}" that ${dirname(path)} can import. Install it there: \`npm install ${name}\`.`,
    { cause: error },
  );
}

const SCHEME = "sep-notebook:";

interface ResolveContext {
  readonly parentURL?: string | undefined;
}

/**
 * Node resolves a specifier from the file that imports it, and cells have no file: a hook puts the notebook's in.
 * Newer versions of Node have a hook in the same thread; the older ones load it as a module.
 */
function registerResolver(): void {
  const hooks = nodeModule as unknown as {
    readonly registerHooks?: (hooks: {
      resolve: (
        specifier: string,
        context: ResolveContext,
        next: (specifier: string, context: ResolveContext) => unknown,
      ) => unknown;
    }) => void;
  };
  if (hooks.registerHooks !== undefined) {
    hooks.registerHooks({
      resolve(specifier, context, next) {
        if (!specifier.startsWith(SCHEME)) return next(specifier, context);
        const wanted = JSON.parse(decodeURIComponent(specifier.slice(SCHEME.length)));
        return next(wanted.specifier, { ...context, parentURL: wanted.parent });
      },
    });
    return;
  }
  const source = `export async function resolve(specifier, context, next) {
    if (!specifier.startsWith("${SCHEME}")) return next(specifier, context);
    const wanted = JSON.parse(decodeURIComponent(specifier.slice(${SCHEME.length})));
    return next(wanted.specifier, { ...context, parentURL: wanted.parent });
  }`;
  nodeModule.register(`data:text/javascript,${encodeURIComponent(source)}`);
}
