import { expect, it } from "vitest";
import { createFakeCli } from "../../test/fakes/cli-context.ts";
import { createGoldenModel, createHubStage } from "../../test/fakes/hub-stage.ts";
import { renderProgress } from "../cli/render-progress.ts";
import type { PullEvent } from "./hub/hub.ts";
import { openModel } from "./load-model.ts";
import { type OpeningEvent, reportPull, reportReading } from "./opening-event.ts";
import { openDevice } from "./resolve-device.ts";

async function* play(events: readonly PullEvent[]): AsyncGenerator<PullEvent, string> {
  yield* events;
  return "result";
}

it("counts the bytes of all files, and what was there before", async () => {
  const events: OpeningEvent[] = [];
  const reported = reportPull(
    "org/name",
    play([
      { kind: "note", message: "a note" },
      // the list of shards comes before it is known how much there is
      { kind: "completed", file: "index", receivedBytes: 7, totalBytes: 7 },
      {
        kind: "planned",
        files: [
          { file: "a", receivedBytes: 10, totalBytes: 100 },
          { file: "b", receivedBytes: 0, totalBytes: 50 },
        ],
        totalBytes: 150,
        source: "https://hub.example",
        folder: "/cache",
      },
      { kind: "received", file: "b", receivedBytes: 20, totalBytes: 50 },
      { kind: "received", file: "a", receivedBytes: 60, totalBytes: 100 },
      { kind: "completed", file: "b", receivedBytes: 50, totalBytes: 50 },
    ]),
  );
  for (;;) {
    const step = await reported.next();
    if (step.done) {
      expect(step.value).toBe("result");
      break;
    }
    events.push(step.value);
  }
  const event = { step: "download", part: "org/name" };
  expect(events).toEqual([
    { kind: "note", ...event, message: "a note" },
    { kind: "note", ...event, message: "downloading 140 B from https://hub.example into /cache" },
    { kind: "started", ...event, unit: "byte", done: 10, total: 150 },
    { kind: "advanced", ...event, done: 30, total: 150, detail: "b" },
    { kind: "advanced", ...event, done: 80, total: 150, detail: "a" },
    { kind: "advanced", ...event, done: 110, total: 150, detail: "b" },
  ]);
});

it("loads a model of the hub under its name, with its download in the live display", async () => {
  const golden = createGoldenModel("qwen3-tied");
  await using stage = await createHubStage([golden]);
  const cli = createFakeCli({ isTTY: true });
  const opening = openModel(golden.id, { threads: 1, hub: { env: stage.env } });
  await using model = await renderProgress(opening, { json: false, quiet: false }, cli.context);
  expect(model.provenance).toMatchObject({ id: golden.id, revision: golden.refs.get("main") });
  const last = cli.stderr().split("\r").at(-1);
  expect(last).toMatch(/^download tiny\/qwen3-tied {2}█{24} {2}(\d+)\/\1 kB/);
  stage.fake.clear();
  const events: OpeningEvent[] = [];
  const again = openModel(golden.id, { threads: 1, hub: { env: stage.env } });
  for (;;) {
    const step = await again.next();
    if (step.done) {
      await step.value[Symbol.asyncDispose]();
      break;
    }
    events.push(step.value);
  }
  expect(events).toEqual([]);
  expect(stage.fake.requests).toEqual([]);
});

it("looks for the device before it downloads a model that would be of no use without it", async () => {
  const golden = createGoldenModel("qwen3-tied");
  await using stage = await createHubStage([golden]);
  const missing = process.platform === "win32" ? "coreml" : "dml";
  const opening = openModel(golden.id, { device: missing, hub: { env: stage.env } });
  await expect(opening.next()).rejects.toMatchObject({ code: "device-unavailable" });
  expect(stage.fake.requests).toEqual([]);
});

const attempt = async (device: string) =>
  device === "dml" ? ({ works: true, error: 0 } as const) : ({ works: false, reason: "none" } as const);

it("says what auto has come to", async () => {
  const auto = openDevice("auto", { attempt });
  expect(await auto.next()).toEqual({
    done: false,
    value: { kind: "note", step: "device", part: "", message: "auto selects dml on this machine" },
  });
  expect(await auto.next()).toEqual({ done: true, value: { name: "dml" } });
});

it("has nothing to say of what was asked for", async () => {
  expect(await openDevice("dml", { attempt }).next()).toEqual({ done: true, value: { name: "dml" } });
  expect(await openDevice(undefined).next()).toEqual({ done: true, value: { name: "cpu" } });
});

it("reports the reading of weights in bytes of all files, and nothing where it takes one go", async () => {
  const read = async (chunks: readonly number[]): Promise<unknown[]> => {
    const reading = reportReading(
      "big",
      100,
      (async function* () {
        yield* chunks;
        return "sha";
      })(),
    );
    const events: unknown[] = [];
    for (;;) {
      const next = await reading.next();
      if (next.done) return [...events, next.value];
      events.push(next.value);
    }
  };
  const event = { step: "load", part: "big" };
  expect(await read([])).toEqual(["sha"]);
  expect(await read([40, 30])).toEqual([
    { kind: "started", ...event, unit: "byte", done: 0, total: 100 },
    { kind: "advanced", ...event, done: 40, total: 100 },
    { kind: "advanced", ...event, done: 70, total: 100 },
    { kind: "advanced", ...event, done: 100, total: 100 },
    "sha",
  ]);
  // headers
  expect(await read([101])).toContainEqual({ kind: "advanced", ...event, done: 100, total: 100 });
});
