import { unzipSync } from "fflate";

/** `site.json`: the archives that a page loads. */
export interface Site {
  readonly archives: Readonly<Record<string, Archive>>;
}

interface Archive {
  readonly bytes: number;
  /** Part of its address, so that no cache serves another one. */
  readonly sha256: string;
}

/** Browsers keep what was downloaded under this name. */
const CACHE = "see-doubt";

export const readSite = async (): Promise<Site> => (await requireOk(await fetch("site.json"))).json();

/**
 * Downloads archives and unpacks them, or takes them from Cache Storage. Archives that no page of this version wants are
 * removed from there.
 * @param report called with the bytes that have come so far, of all archives together
 * @returns the files of each archive by name
 */
export async function loadArchives<Name extends string>(
  site: Site,
  names: readonly Name[],
  report: (loaded: number, total: number) => void,
): Promise<Record<Name, Files>> {
  const total = names.reduce((sum, name) => sum + archiveOf(site, name).bytes, 0);
  let loaded = 0;
  const store = await openStore();
  const wanted = names.map((name) => `${name}.zip?${archiveOf(site, name).sha256.slice(0, 16)}`);
  const loading = wanted.map(async (address) => {
    const kept = await store?.match(address);
    const response = kept ?? (await requireOk(await fetch(address)));
    const bytes = await readBody(response, (count) => {
      loaded += count;
      report(loaded, total);
    });
    // a browser without room for it downloads it again the next time
    if (kept === undefined) await store?.put(address, new Response(bytes as BlobPart)).catch(() => undefined);
    return unzipSync(bytes);
  });
  const archives = await Promise.all(loading);
  await forgetOthers(
    store,
    Object.entries(site.archives).map(([name, { sha256 }]) => `${name}.zip?${sha256.slice(0, 16)}`),
  );
  return Object.fromEntries(names.map((name, index) => [name, archives[index]])) as Record<Name, Files>;
}

/** An archive's content. */
export type Files = Readonly<Record<string, Uint8Array>>;

function archiveOf({ archives }: Site, name: string): Archive {
  const archive = archives[name];
  if (archive === undefined) throw new Error(`This page has no ${name}.zip. Build it again with sep page.`);
  return archive;
}

/** Cache Storage is missing on pages without https, and refused in some private windows. */
const openStore = async (): Promise<Cache | null> =>
  "caches" in globalThis ? caches.open(CACHE).catch(() => null) : null;

async function forgetOthers(store: Cache | null, wanted: readonly string[]): Promise<void> {
  const known = new Set(wanted.map((address) => new URL(address, location.href).href));
  for (const request of (await store?.keys()) ?? [])
    if (!known.has(request.url)) await store?.delete(request);
}

async function readBody(response: Response, count: (bytes: number) => void): Promise<Uint8Array> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const parts: Uint8Array[] = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    parts.push(value);
    count(value.length);
  }
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function requireOk(response: Response): Promise<Response> {
  if (response.ok) return response;
  throw new Error(`${new URL(response.url).pathname} answers with status ${response.status}.`);
}
