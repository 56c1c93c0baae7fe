import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { etagOf } from "../../../test/fakes/fake-model.ts";
import { createHubStage, createPlainModel } from "../../../test/fakes/hub-stage.ts";
import golden from "../../../test/golden/hub-cache.json" with { type: "json" };
import { drain } from "../../net/map-concurrently.ts";
import { fetchModel } from "./fetch-model.ts";
import { listCachedModels } from "./list-cached-models.ts";
import { pullRepository } from "./pull-repository.ts";

// The golden is Python's cache after the same download; test/golden/generate/hub_cache.py also checks the other
// way, that Python finds what this program has downloaded.

/** A file or a link of a cache. */
interface Entry {
  readonly path: string;
  readonly link?: string;
  readonly size?: number;
  readonly text?: string;
}

const ENTRIES: readonly Entry[] = golden.entries;
const ID = { repo: golden.repo, revision: "main" };
/** Contents, snapshots and refs are for both to read; the rest is notes of Python's own. */
const isShared = ({ path }: Entry): boolean => /^models--[^/]+\/(blobs|snapshots|refs)\//.test(path);

/** Makes the cache that Python made. */
async function restorePythonCache(cacheFolder: string): Promise<void> {
  const files = [...createPlainModel().commits.values()].flatMap(({ files }) => [...files.values()]);
  for (const { path, link, text } of ENTRIES) {
    const target = join(cacheFolder, path);
    await mkdir(dirname(target), { recursive: true });
    if (link !== undefined) await symlink(link, target);
    else await writeFile(target, text ?? files.find((file) => path.endsWith(etagOf(file)))?.content ?? "");
  }
}

async function readEntries(folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const full = join(entry.parentPath, entry.name);
    const path = full.slice(folder.length + 1);
    if (entry.isSymbolicLink()) entries.push({ path, link: await readlink(full) });
    else if (entry.isFile() && path.includes("/blobs/"))
      entries.push({ path, size: (await stat(full)).size });
    else if (entry.isFile()) entries.push({ path, text: await readFile(full, "utf8") });
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

describe("the cache of Python's huggingface_hub", () => {
  it("is read as a whole model, without the hub", async () => {
    await using stage = await createHubStage([]);
    await restorePythonCache(stage.cacheFolder);
    const offline = await stage.openHub({ HF_HUB_OFFLINE: "1" });
    const { commit, folder } = await drain(fetchModel(offline, ID));
    expect(commit).toBe(golden.commit);
    expect(await readFile(join(folder, "config.json"), "utf8")).toContain("model_type");
    expect(await drain(fetchModel(stage.hub, ID))).toMatchObject({
      commit,
      folder,
      missing: [],
      unknown: [],
    });
    expect(stage.fake.requests).toEqual([]);
    expect(await listCachedModels(stage.hub.settings)).toEqual([
      { repo: golden.repo, commit, revisions: ["main"], folder, sizeBytes: 30_050 },
    ]);
  });

  it("needs no download when the model is pulled", async () => {
    await using stage = await createHubStage([createPlainModel()]);
    await restorePythonCache(stage.cacheFolder);
    await drain(pullRepository(stage.hub, ID));
    expect(stage.downloads()).toEqual([]);
  });

  it("is what pulling into an empty folder gives", async () => {
    await using stage = await createHubStage([createPlainModel()]);
    await drain(pullRepository(stage.hub, ID));
    const expected = ENTRIES.filter(isShared).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    expect(expected.length).toBeGreaterThan(8);
    expect((await readEntries(stage.cacheFolder)).filter(isShared)).toEqual(expected);
  });
});
