import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Fault, SeenRequest } from "../../../test/fakes/fake-hub.ts";
import { createFakeModel, etagOf, type FakeFile, type FakeModel } from "../../../test/fakes/fake-model.ts";
import { createHubStage, type HubStage } from "../../../test/fakes/hub-stage.ts";
import { drain } from "../../net/map-concurrently.ts";
import type { PullEvent } from "./hub.ts";
import { pullRepository } from "./pull-repository.ts";

const WEIGHTS = Buffer.alloc(600_000, "weights that do not repeat every few bytes, ".repeat(97));
const ID = { repo: "tiny/model", revision: "main" };
const CONTENTS = { "config.json": "{}", "tokenizer.json": "{ }", "model.safetensors": WEIGHTS };

const weightsOf = (model: FakeModel): FakeFile =>
  [...model.commits.values()][0]?.files.get("model.safetensors") as FakeFile;

/** A stage where requests for the weights' content go wrong: the first with the first fault, and so on. */
async function createFaultyStage(faults: readonly (Fault | null)[]) {
  const model = createFakeModel(ID.repo, CONTENTS);
  const left = [...faults];
  const isBody = ({ server, method }: SeenRequest): boolean => server === "cdn" && method === "GET";
  const stage = await createHubStage([model], {
    fault: (request) => (isBody(request) ? (left.shift() ?? null) : null),
  });
  const ranges = () => stage.fake.requests.filter(isBody).map(({ range }) => range);
  return { model, stage, ranges, [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose]() };
}

async function expectWhole(stage: HubStage, model: FakeModel): Promise<void> {
  const { blob, incomplete } = stage.cacheOf(model);
  const etag = etagOf(weightsOf(model));
  expect((await readFile(blob(etag))).equals(WEIGHTS)).toBe(true);
  await expect(readFile(incomplete(etag))).rejects.toThrow("ENOENT");
}

async function collect(events: AsyncGenerator<PullEvent, unknown>): Promise<PullEvent[]> {
  const all: PullEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const notes = (events: readonly PullEvent[]): string[] =>
  events.flatMap((event) => (event.kind === "note" ? [event.message] : []));

/** Leaves the beginning of a download, as a process that was killed does. */
async function leave(stage: HubStage, model: FakeModel, content: Uint8Array): Promise<void> {
  const path = stage.cacheOf(model).incomplete(etagOf(weightsOf(model)));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

describe("a download that is cut off", () => {
  it("goes on from its last byte, in the same process", async () => {
    await using faulty = await createFaultyStage([{ dropAfter: 200_000 }, { dropAfter: 100_000 }]);
    const events = await collect(pullRepository(faulty.stage.hub, ID));
    await expectWhole(faulty.stage, faulty.model);
    const [first, second, third] = faulty.ranges();
    expect(first).toBeNull();
    // how many of the sent bytes arrive before the cut is up to the network
    expect(second === null || /^bytes=\d+-$/.test(second ?? "")).toBe(true);
    expect(third).toMatch(/^bytes=[1-9]\d+-$/);
    expect(notes(events)).toHaveLength(2);
    expect(faulty.stage.waitsMs).toEqual([1000, 1000]);
  });

  it("goes on from its last byte, in another process", async () => {
    await using faulty = await createFaultyStage([]);
    await leave(faulty.stage, faulty.model, WEIGHTS.subarray(0, 123_456));
    const events = await collect(pullRepository(faulty.stage.hub, ID));
    await expectWhole(faulty.stage, faulty.model);
    expect(faulty.ranges()).toEqual(["bytes=123456-"]);
    expect(events[0]).toMatchObject({
      kind: "planned",
      files: expect.arrayContaining([
        { file: "model.safetensors", receivedBytes: 123_456, totalBytes: WEIGHTS.length },
      ]),
    });
  });

  it("needs no more bytes when all of them had come", async () => {
    await using faulty = await createFaultyStage([]);
    await leave(faulty.stage, faulty.model, WEIGHTS);
    await drain(pullRepository(faulty.stage.hub, ID));
    await expectWhole(faulty.stage, faulty.model);
    expect(faulty.ranges()).toEqual([]);
  });

  it.each<[string, Fault]>([
    ["ignores the range", { ignoreRange: true }],
    ["refuses the range", { status: 416 }],
  ])("starts again where the server %s", async (_name, fault) => {
    await using faulty = await createFaultyStage([fault]);
    await leave(faulty.stage, faulty.model, WEIGHTS.subarray(0, 5_000));
    await drain(pullRepository(faulty.stage.hub, ID));
    await expectWhole(faulty.stage, faulty.model);
  });

  it("is given up after five tries without a byte, and kept", async () => {
    const nothing = { endAfter: 0 };
    await using faulty = await createFaultyStage([{ endAfter: 300_000 }, ...Array(5).fill(nothing)]);
    await expect(drain(pullRepository(faulty.stage.hub, ID))).rejects.toMatchObject({
      code: "download-damaged",
      message: expect.stringMatching(/breaks off after 300000 of 600000 bytes .*resumes from there/),
    });
    expect(faulty.stage.waitsMs).toEqual([1000, 2000, 4000, 8000]);
    await drain(pullRepository(faulty.stage.hub, ID));
    await expectWhole(faulty.stage, faulty.model);
    expect(faulty.ranges().at(-1)).toBe("bytes=300000-");
  });
});

describe("a damaged download", () => {
  it("is dropped and explained", async () => {
    await using faulty = await createFaultyStage([{ corrupt: true }]);
    const { stage, model } = faulty;
    await expect(drain(pullRepository(stage.hub, ID))).rejects.toMatchObject({
      code: "download-damaged",
      message: expect.stringContaining(`does not have the checksum ${etagOf(weightsOf(model))}`),
    });
    const blobs = await readdir(dirname(stage.cacheOf(model).blob("x")));
    expect(blobs.filter((name) => name.startsWith(etagOf(weightsOf(model))))).toEqual([]);
    await expect(readFile(stage.cacheOf(model).ref("main"))).rejects.toThrow("ENOENT");
    await drain(pullRepository(stage.hub, ID));
    await expectWhole(stage, model);
  });

  it("starts again when the damage may come from before", async () => {
    await using faulty = await createFaultyStage([]);
    await leave(faulty.stage, faulty.model, Buffer.alloc(1_000));
    const events = await collect(pullRepository(faulty.stage.hub, ID));
    await expectWhole(faulty.stage, faulty.model);
    expect(notes(events)).toEqual(["model.safetensors: the partial download is damaged, starting again"]);
    expect(faulty.ranges()).toEqual(["bytes=1000-", null]);
  });

  it("starts again when there is more than there should be", async () => {
    await using faulty = await createFaultyStage([]);
    await leave(faulty.stage, faulty.model, Buffer.alloc(600_001));
    await drain(pullRepository(faulty.stage.hub, ID));
    await expectWhole(faulty.stage, faulty.model);
  });

  it("is found in small files too, by git's checksum", async () => {
    const model = createFakeModel(ID.repo, CONTENTS);
    await using stage = await createHubStage([model], {
      fault: ({ path, method }) =>
        method === "GET" && /cache.*config\.json/.test(path) ? { corrupt: true } : null,
    });
    await expect(drain(pullRepository(stage.hub, ID))).rejects.toMatchObject({
      code: "download-damaged",
      message: expect.stringMatching(/^config\.json of tiny\/model does not have the checksum [0-9a-f]{40},/),
    });
  });

  it("is one that is larger than the hub says", async () => {
    const model = createFakeModel(ID.repo, CONTENTS);
    await using stage = await createHubStage([model]);
    const lying: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (answer.headers.get("x-linked-size") !== "600000") return answer;
      const headers = new Headers(answer.headers);
      headers.set("x-linked-size", "599999");
      return new Response(null, { status: answer.status, headers });
    };
    await expect(drain(pullRepository({ ...stage.hub, fetch: lying }, ID))).rejects.toMatchObject({
      code: "download-damaged",
      message: expect.stringContaining("is larger than the 599999 bytes that the Hub states"),
    });
  });
});

describe("a disk without room", () => {
  it("is found before anything is downloaded", async () => {
    const model = createFakeModel(ID.repo, CONTENTS);
    await using stage = await createHubStage([model]);
    const huge: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (answer.headers.get("x-linked-size") !== "600000") return answer;
      const headers = new Headers(answer.headers);
      headers.set("x-linked-size", String(2 ** 49));
      return new Response(null, { status: answer.status, headers });
    };
    await expect(drain(pullRepository({ ...stage.hub, fetch: huge }, ID))).rejects.toMatchObject({
      code: "disk-full",
      message: expect.stringMatching(
        /^The download needs 562950\.0 GB, and the disk of .* has [\d.]+ GB left\./,
      ),
    });
    expect(stage.downloads()).toEqual([]);
  });

  it("is told from one that cannot be written", async () => {
    const model = createFakeModel(ID.repo, CONTENTS);
    await using stage = await createHubStage([model]);
    const file = join(stage.cacheFolder, "file");
    await writeFile(file, "");
    const hub = await stage.openHub({ HF_HUB_CACHE: file });
    await expect(drain(pullRepository(hub, ID))).rejects.toMatchObject({
      code: "cache-not-writable",
      message: expect.stringMatching(/\/file cannot be written \(.*\)\. Choose another cache with HF_HOME/),
    });
  });

  // a device that has no room for anything stands in for the file
  it.skipIf(process.platform !== "linux")("is explained when it fills up on the way", async () => {
    await using faulty = await createFaultyStage([]);
    const { stage, model } = faulty;
    const path = stage.cacheOf(model).incomplete(etagOf(weightsOf(model)));
    await mkdir(dirname(path), { recursive: true });
    await symlink("/dev/full", path);
    await expect(drain(pullRepository(stage.hub, ID))).rejects.toMatchObject({
      code: "disk-full",
      message: expect.stringContaining(`The disk of ${stage.cacheFolder} is full.`),
    });
  });
});

describe("two at once", () => {
  it("load each file once", async () => {
    const model = createFakeModel(ID.repo, CONTENTS);
    await using stage = await createHubStage([model]);
    const both = [stage.hub, await stage.openHub()].map((hub) => collect(pullRepository(hub, ID)));
    await Promise.all(both);
    await expectWhole(stage, model);
    expect(stage.downloads().filter((download) => download.startsWith("cdn"))).toHaveLength(1);
  });

  it("end at once when the work is aborted, and go on later", async () => {
    const abort = new AbortController();
    let release = (): void => undefined;
    const wait = new Promise<void>((settle) => {
      release = settle;
    });
    await using faulty = await createFaultyStage([{ wait }]);
    const pulled = drain(pullRepository(faulty.stage.hub, ID, { signal: abort.signal }));
    setTimeout(() => abort.abort(new Error("enough")), 50);
    await expect(pulled).rejects.toThrow("enough");
    release();
    await drain(pullRepository(faulty.stage.hub, ID));
    await expectWhole(faulty.stage, faulty.model);
  });
});
