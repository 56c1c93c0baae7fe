import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TracePosition } from "../../engine/places.ts";
import { createHiddenStates } from "../../states/write-hidden-states.ts";
import { choosePosition } from "../probes/choose-position.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-position-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function trace(rows: Partial<Record<TracePosition, number>>): Promise<string> {
  const path = join(folder, "states.safetensors");
  const rowCounts = new Map(Object.entries(rows) as [TracePosition, number][]);
  const metadata = { layers: "0", hidden_size: "2", norm_state: "residual" };
  await using writer = await createHiddenStates(`${path}.partial`, {
    rowCounts,
    layers: [0],
    hiddenSize: 2,
    metadata,
  });
  await writer.finish(path);
  return path;
}

test("answers that reason are read where their reasoning ends, others before their end", async () => {
  expect(await choosePosition(await trace({ "second-to-last": 10, "think-end": 10 }))).toBe("think-end");
  expect(await choosePosition(await trace({ "second-to-last": 10, "think-end": 5 }))).toBe("think-end");
  expect(await choosePosition(await trace({ "second-to-last": 10, "think-end": 4 }))).toBe("second-to-last");
  expect(await choosePosition(await trace({ "second-to-last": 10, "think-end": 0 }))).toBe("second-to-last");
  expect(await choosePosition(await trace({ "second-to-last": 10 }))).toBe("second-to-last");
  expect(await choosePosition(await trace({ "think-end": 10 }))).toBe("think-end");
});

test("a missing file is left to the step that reads it", async () => {
  expect(await choosePosition(join(folder, "none"))).toBe("think-end");
});
