import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createFakeDataset, type FakeModel } from "../../../test/fakes/fake-model.ts";
import { createHubStage } from "../../../test/fakes/hub-stage.ts";
import { drain } from "../../net/map-concurrently.ts";
import { fetchDataset } from "./fetch-dataset.ts";
import { locateModelCache } from "./hub-cache.ts";

const WANTED = { repo: "org/trivia", config: "rc.nocontext", split: "train" };

const dataset = (): FakeModel =>
  createFakeDataset("org/trivia", {
    "rc.nocontext/train/0000.parquet": Buffer.alloc(30_000, "first"), // large: from the storage server
    "rc.nocontext/train/0001.parquet": "second",
    "rc.nocontext/validation/0000.parquet": "third",
    "rc/train/0000.parquet": "not wanted",
  });

it("downloads the shards of a split from the branch of Parquet files, and asks the hub no more", async () => {
  await using stage = await createHubStage([dataset()]);
  const { commit, paths } = await drain(fetchDataset(stage.hub, WANTED));
  expect(commit).toMatch(/^[0-9a-f]{40}$/);
  const folder = join(stage.cacheFolder, "datasets--org--trivia", "snapshots", commit);
  expect(paths).toEqual(["0000", "0001"].map((n) => join(folder, `rc.nocontext/train/${n}.parquet`)));
  expect((await Promise.all(paths.map((path) => readFile(path, "utf8"))))[1]).toBe("second");
  expect(stage.fake.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(
    expect.arrayContaining([
      "GET /api/datasets/org/trivia/revision/refs/convert/parquet",
      `HEAD /datasets/org/trivia/resolve/${commit}/rc.nocontext/train/0000.parquet`,
    ]),
  );
  expect(stage.downloads()).toHaveLength(2);
  stage.fake.clear();
  const offline = await stage.openHub({ HF_HUB_OFFLINE: "1" });
  for (const hub of [stage.hub, offline])
    expect(await drain(fetchDataset(hub, WANTED))).toEqual({ commit, paths });
  expect(await drain(fetchDataset(offline, { ...WANTED, revision: commit }))).toEqual({ commit, paths });
  expect(stage.fake.requests).toEqual([]);
});

it("takes a split that was cut short for missing, although it begins like a whole one", async () => {
  await using stage = await createHubStage([dataset()]);
  const { paths, commit } = await drain(fetchDataset(stage.hub, WANTED));
  const offline = await stage.openHub({ HF_HUB_OFFLINE: "1" });
  await rm(paths[1]!);
  const cache = locateModelCache(stage.cacheFolder, WANTED.repo, "dataset");
  const failure = await drain(fetchDataset(offline, WANTED)).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: "dataset-not-cached",
    message: expect.stringMatching(/^org\/trivia, config rc\.nocontext, split train is not in/),
  });
  // only what is missing is downloaded again
  await rm(cache.absent(commit, "rc.nocontext/train/0002.parquet"));
  stage.fake.clear();
  expect(await drain(fetchDataset(stage.hub, WANTED))).toEqual({ paths, commit });
  expect(stage.downloads()).toHaveLength(0); // its content is still there under its hash
});

it("says which splits there are, and that a data set is not there", async () => {
  await using stage = await createHubStage([dataset()]);
  const explain = async (wanted: typeof WANTED) => {
    const { code, message } = (await drain(fetchDataset(stage.hub, wanted)).catch((e: unknown) => e)) as {
      readonly code: string;
      readonly message: string;
    };
    return [code, message];
  };
  expect(await explain({ ...WANTED, split: "test" })).toEqual([
    "hub-file-missing",
    expect.stringContaining("expected one of rc.nocontext/train, rc.nocontext/validation, rc/train"),
  ]);
  expect(await explain({ ...WANTED, repo: "org/none" })).toEqual([
    "model-not-found",
    expect.stringContaining("There is no data set org/none on"),
  ]);
});
