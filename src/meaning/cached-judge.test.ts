import { appendFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createCachedJudge } from "./cached-judge.ts";
import type { JudgeModel } from "./judge-model.ts";

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
