import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readSemanticEntropy } from "./read-semantic-entropy.ts";

let path: string;
beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), "sep-entropy-")), "math_semantic_entropy.jsonl");
});
afterEach(() => rm(join(path, ".."), { recursive: true }));

const record = {
  question_id: "q",
  clusters: [{ cluster_id: 0, member_run_ids: [0, 1] }],
  semantic_entropy: 0.5,
  discrete_semantic_entropy: 0.25,
};
const read = async (...rows: readonly object[]) => {
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return readSemanticEntropy(path);
};

it("reads null where log-probabilities were missing", async () => {
  const without = { ...record, question_id: "r", semantic_entropy: null };
  expect(await read(record, without)).toEqual([
    { ...record, p_false: null },
    { ...without, p_false: null },
  ]);
});

it.each([
  [{ semantic_entropy: "0.5" }, '"semantic_entropy" is "0.5", expected a number'],
  [{ semantic_entropy: undefined }, '"semantic_entropy" is missing'],
  [{ discrete_semantic_entropy: null }, '"discrete_semantic_entropy" is null, expected a number'],
])("refuses %j", async (changes, reason) => {
  await expect(read({ ...record, ...changes })).rejects.toMatchObject({
    code: "bad-artifact",
    message: expect.stringContaining(reason),
  });
});
