import { appendFile, chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import {
  createFakeClassifier,
  entailmentOf,
  type FakeClassifier,
} from "../../../test/fakes/fake-classifier.ts";
import { createClassifierEntailer, type Entailer } from "../../meaning/entailer.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import { createCachedEntailer, createCachedJudge } from "./disk-caches.ts";

describe("cached entailer", () => {
  const LABELS = ["contradiction", "entailment", "neutral"] as const;
  const PAIRS = [
    ["the cat sat on the mat", "the cat sat"],
    ["the cat sat", "the cat sat on the mat"],
    ["the cat sat on the mat", "the cat sat"],
    ["x".repeat(200), "y"],
  ] as const;

  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "sep-verdicts-"));
  });
  afterEach(async () => {
    await chmod(folder, 0o700);
    await rm(folder, { recursive: true, force: true });
  });

  interface Opened {
    readonly classifier: FakeClassifier;
    readonly entailer: Entailer;
  }

  async function openPlain(weights = "w"): Promise<Opened> {
    const classifier = createFakeClassifier(LABELS, (premise, hypothesis) =>
      LABELS.map((label) => (label === entailmentOf(premise, hypothesis) ? 1.7 : 0.3)),
    );
    const provenance = { ...classifier.provenance, weights_sha256: weights };
    return {
      classifier,
      entailer: await createClassifierEntailer({ ...classifier, provenance }, { selfTest: false }),
    };
  }

  async function open(weights?: string): Promise<Opened> {
    const { classifier, entailer } = await openPlain(weights);
    return { classifier, entailer: await createCachedEntailer(entailer, { folder }) };
  }

  it("computes no pair twice, now or in another process", async () => {
    const first = await open();
    const verdicts = await first.entailer.classify(PAIRS);
    expect(first.classifier.asked).toHaveLength(3);
    expect(verdicts[2]).toEqual(verdicts[0]);
    expect(verdicts.map(({ truncated }) => truncated)).toEqual([false, false, false, true]);
    await first.entailer.classify(PAIRS);
    expect(first.classifier.asked).toHaveLength(3);

    const second = await open();
    expect(await second.entailer.classify(PAIRS)).toEqual(verdicts);
    expect(second.classifier.asked).toEqual([]);
    expect(second.entailer).toMatchObject({ name: "fake/nli", tellsContradiction: true });
  });

  it("sees what another adds meanwhile, and keeps other weights' verdicts apart", async () => {
    const [first, second, other] = [await open(), await open(), await open("other weights")];
    await first.entailer.classify(PAIRS.slice(0, 1));
    await second.entailer.classify(PAIRS.slice(0, 2));
    expect(second.classifier.asked).toEqual([[...PAIRS[1]]]);
    await other.entailer.classify(PAIRS.slice(0, 1));
    expect(other.classifier.asked).toHaveLength(1);
    expect((await readdir(folder)).sort()).toEqual(
      [first.entailer.fingerprint, other.entailer.fingerprint].sort().map((name) => `${name}.jsonl`),
    );
  });

  it("computes anew what is damaged", async () => {
    const first = await open();
    const [verdict] = await first.entailer.classify(PAIRS.slice(0, 1));
    const file = join(folder, `${first.entailer.fingerprint}.jsonl`);
    const [, row = ""] = (await readFile(file, "utf8")).split("\n");
    const [key] = JSON.parse(row) as [string];
    const damaged = [
      [key, 0.5, 0.4, 0.2],
      [key, -1, 1, 1],
      [key, null, 0.5, 0.5],
      [3, 1, 0, 0],
      { key },
      "text",
    ];
    await appendFile(file, `${damaged.map((line) => JSON.stringify(line)).join("\n")}\n["cut", 0.`);
    const second = await open();
    expect(await second.entailer.classify(PAIRS.slice(0, 1))).toEqual([verdict]);
    expect(second.classifier.asked).toEqual([]);
    await second.entailer.classify(PAIRS.slice(1, 2));
    const third = await open();
    await third.entailer.classify(PAIRS.slice(0, 2));
    expect(third.classifier.asked).toEqual([]);
  });

  it("keeps what was computed before it was stopped", async () => {
    const { entailer } = await openPlain();
    let calls = 0;
    const stopping: Entailer = {
      ...entailer,
      async classify(pairs, options) {
        calls += 1;
        if (calls === 2) throw new DOMException("stopped", "AbortError");
        return entailer.classify(pairs, options);
      },
    };
    const pairs = Array.from({ length: 700 }, (_, i) => [`premise ${i}`, "hypothesis"] as const);
    const cached = await createCachedEntailer(stopping, { folder });
    await expect(cached.classify(pairs)).rejects.toMatchObject({ name: "AbortError" });
    const second = await open();
    await second.entailer.classify(pairs);
    expect(second.classifier.asked).toHaveLength(700 - 128);
  });

  // root may write everywhere
  it.skipIf(process.getuid?.() === 0)("says so when the folder cannot be written", async () => {
    const { entailer } = await open();
    await chmod(folder, 0o500);
    await expect(entailer.classify(PAIRS)).rejects.toMatchObject({ code: "cache-not-writable" });
  });

  it("disposes of the entailer below it", async () => {
    const { classifier, entailer } = await open();
    await entailer[Symbol.asyncDispose]();
    expect(classifier.disposed).toBe(true);
  });
});

describe("cached judge", () => {
  let folder: string;
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), "sep-judge-")), "replies");
  });
  afterEach(() => rm(join(folder, ".."), { recursive: true }));

  function counting(version = 1): JudgeModel & { readonly asked: string[] } {
    const asked: string[] = [];
    return {
      name: "fake",
      provenance: { version },
      concurrency: 2,
      asked,
      async complete(prompt) {
        asked.push(prompt);
        if (prompt === "broken") throw new Error("no reply");
        return `reply to ${prompt}`;
      },
    };
  }

  const LABELS = { labels: ["yes", "no"] } as const;

  test("what was asked once is not asked again, not even by another process", async () => {
    const judge = counting();
    const first = await createCachedJudge(judge, { folder });
    expect(await first.complete("a", LABELS)).toBe("reply to a");
    await expect(first.complete("broken", LABELS)).rejects.toThrow("no reply");
    expect(await first.complete("a", LABELS)).toBe("reply to a");
    expect(judge.asked).toEqual(["a", "broken"]);

    const again = counting();
    const second = await createCachedJudge(again, { folder });
    expect(await second.complete("a", LABELS)).toBe("reply to a");
    expect(again.asked).toEqual([]);
    await second.complete("a", { labels: ["entailment"] }); // other words make another question
    expect(again.asked).toEqual(["a"]);
  });

  test("another model's replies are others, and a damaged line is asked anew", async () => {
    const judge = counting();
    await (await createCachedJudge(judge, { folder })).complete("a", LABELS);
    const other = counting(2);
    await (await createCachedJudge(other, { folder })).complete("a", LABELS);
    expect(other.asked).toEqual(["a"]);
    const names = await readdir(folder);
    expect(names.length).toBe(2);
    for (const name of names) await appendFile(join(folder, name), '["half a li');
    const third = counting();
    const cached = await createCachedJudge(third, { folder });
    await cached.complete("a", LABELS);
    await cached.complete("b", LABELS);
    expect(third.asked).toEqual(["b"]);
  });
});
