import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { zipSync } from "fflate";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { POCKET_FOLDER } from "../checkpoint/locate-checkpoint.ts";
import { MOST_WEB_WEIGHTS } from "../engine/runtime/ort-web.ts";
import { SepError } from "../errors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { encodeProbe } from "../probes/encode-probe.ts";
import type { Probe } from "../probes/probe.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { writeAtomic } from "../store/write-atomic.ts";
import type { GatheredStudy } from "../study/page/page-study.ts";

/** A static page: its files by name. */
export type Site = ReadonlyMap<string, Uint8Array>;

/** The same folder from `src/` and from `dist/`: what the build has made of `apps/page`. */
const BUILT = new URL("../../dist/page/", import.meta.url);
/** What the embedded model's page shows of its study: `sep page --study` of `sep run` with its defaults. */
const POCKET_PAGE = join(POCKET_FOLDER, "page");
const POCKET_PROBE = join(POCKET_FOLDER, "probes", "accuracy_probe");

/** Of a model's folder, as far as the page reads it. */
const MODEL_FILE =
  /^(config|tokenizer|tokenizer_config|generation_config)\.json$|^chat_template\.jinja$|^model.*\.safetensors$/;

/**
 * A page of a study: its model, its probes and the page itself.
 * @param folder of the model, in Hugging Face format
 * @throws SepError `model-too-large`; `unsupported-model` for a model that is no such folder; `missing-input` where the page is not built
 */
export async function buildSite(folder: string, gathered: GatheredStudy): Promise<Site> {
  const files = new Map([...(await readModel(folder)), ...encodePageStudy(gathered)]);
  addProbe(files, "probe", gathered.probe);
  return assembleSite(files);
}

/** The page of the embedded model. @throws SepError `missing-input` where the page is not built */
export async function buildPocketSite(): Promise<Site> {
  const files = await readModel(POCKET_FOLDER);
  for (const name of await readdir(POCKET_PAGE)) files.set(name, await readFile(join(POCKET_PAGE, name)));
  for (const ending of ["json", "safetensors"])
    files.set(`probe.${ending}`, await readFile(`${POCKET_PROBE}.${ending}`));
  return assembleSite(files);
}

/** What the page shows of a study, without the model: the files of `models/pocket/page`. */
export function encodePageStudy({ study, layers }: GatheredStudy): ReadonlyMap<string, Uint8Array> {
  const files = new Map([["study.json", jsonBytes(study as unknown as Json)]]);
  for (const each of layers) addProbe(files, `layer-${each.layer}`, each);
  return files;
}

/** Bytes that a visitor loads: everything but the runtime that the browser does not take. */
export const downloadBytes = (site: Site): number =>
  [...site].reduce(
    (sum, [name, { length }]) => sum + (name.includes("webgpu") || name.includes("jspi") ? 0 : length),
    0,
  );

/** Writes a site into a folder, for any server of static files. */
export async function writeSite(site: Site, folder: string): Promise<void> {
  for (const [name, bytes] of site) await writeAtomic(join(folder, name), bytes);
}

/** A site for `listenBehindGate`. The list of files is fixed: no request's path is looked up on disk. */
export function serveSite(site: Site): Hono {
  const app = new Hono();
  // as hosts of static files do; the archives are compressed already
  app.use(compress());
  for (const [name, bytes] of site) {
    const headers = {
      "content-type": TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream",
      "content-security-policy": POLICY,
    };
    app.get(
      name === "index.html" ? "/" : `/${name}`,
      () => new Response(bytes as Uint8Array<ArrayBuffer>, { headers }),
    );
  }
  return app;
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  json: "application/json",
  zip: "application/zip",
};

/** As of the other servers' pages, with what WebAssembly and a worker need. */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types engine";

async function readModel(folder: string): Promise<Map<string, Uint8Array>> {
  const isFolder = (await stat(folder)).isDirectory();
  const names = isFolder ? (await readdir(folder)).filter((name) => MODEL_FILE.test(name)).sort() : [];
  const weights = names.filter((name) => name.endsWith(".safetensors"));
  if (weights.length === 0)
    throw new SepError(
      "unsupported-model",
      `${folder} has no model*.safetensors, which is what the page reads. Use a model in Hugging Face format.`,
    );
  const sizes = await Promise.all(weights.map(async (name) => (await stat(join(folder, name))).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > MOST_WEB_WEIGHTS)
    throw new SepError(
      "model-too-large",
      `The weights in ${folder} take ${megabytes(total)} MB, and a page holds ${megabytes(MOST_WEB_WEIGHTS)} MB at most. Use a smaller model, or \`sep serve\`.`,
    );
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)),
  );
}

export const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

function addProbe(files: Map<string, Uint8Array>, name: string, probe: Probe): void {
  const { weights, describe } = encodeProbe(probe);
  files.set(`${name}.safetensors`, weights);
  const text = describe({ file: `${name}.safetensors`, sha256: fingerprint(weights) });
  files.set(`${name}.json`, new TextEncoder().encode(text));
}

const jsonBytes = (value: Json): Uint8Array => new TextEncoder().encode(`${stableStringify(value, 1)}\n`);

async function assembleSite(model: ReadonlyMap<string, Uint8Array>): Promise<Site> {
  const site = new Map<string, Uint8Array>();
  for (const name of await listBuilt()) site.set(name, await readFile(new URL(name, BUILT)));
  // no time, so that the same files give the same archive, which browsers then have already
  site.set("model.zip", zipSync(Object.fromEntries(model), { mtime: new Date(1980, 0, 1, 12) }));
  const archives = [...site].filter(([name]) => name.endsWith(".zip"));
  const described = archives.map(([name, bytes]) => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return [name.slice(0, -".zip".length), { bytes: bytes.length, sha256 }] as const;
  });
  site.set("site.json", jsonBytes({ archives: Object.fromEntries(described) }));
  return site;
}

async function listBuilt(): Promise<readonly string[]> {
  try {
    return (await readdir(BUILT)).sort();
  } catch (error) {
    throw new SepError("missing-input", "The page is not built. Run `npm run build`.", { cause: error });
  }
}
