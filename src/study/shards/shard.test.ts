import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isInShard, parseShard, parseShardFolder, shardFolder, shardOf } from "./shard.ts";

describe("the shard of a question", () => {
  it("is one of those there are, and follows from the id alone", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1000 }), (id, count) => {
        const index = shardOf(id, count);
        expect(index).toBe(shardOf(id, count));
        const holders = [index - 1, index, index + 1].filter((each) => isInShard(id, { index: each, count }));
        expect(holders).toEqual([index]);
        expect(index).toBeGreaterThanOrEqual(1);
        expect(index).toBeLessThanOrEqual(count);
      }),
    );
  });

  it("does not change between versions: shards that are there go on with the same questions", () => {
    // Python: int(hashlib.sha256(id.encode()).hexdigest()[:12], 16) % 8 + 1
    expect(["gsm8k-0001", "gsm8k-0002", "q-0001", "a/b c"].map((id) => shardOf(id, 8))).toEqual([6, 8, 2, 2]);
  });

  it("spreads questions evenly", () => {
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 8000; i++) counts[shardOf(`q-${i}`, 8) - 1]! += 1;
    // binomial(8000, 1/8): 1000 with a standard deviation of 30
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe("the option", () => {
  it("is read", () => {
    expect(parseShard("2/8")).toEqual({ index: 2, count: 8 });
    expect(parseShard("1/1")).toEqual({ index: 1, count: 1 });
  });

  it.each(["0/8", "9/8", "2", "2/0", "a/b", "2/8/3", "-1/8", "1/1000000"])("%s is refused", (text) => {
    expect(() => parseShard(text)).toThrow(/expected I\/N with I from 1 to N/);
  });

  it("names a folder, and the folder names it", () => {
    expect(parseShardFolder(shardFolder({ index: 2, count: 8 }))).toEqual({ index: 2, count: 8 });
    expect(["data", "2-of", "0-of-3", "2-of-8.old"].map(parseShardFolder)).toEqual([null, null, null, null]);
  });
});
