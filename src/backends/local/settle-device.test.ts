import { expect, it } from "vitest";
import { settleDevice } from "./settle-device.ts";

const attempt = async (device: string) =>
  device === "dml" ? ({ works: true, error: 0 } as const) : ({ works: false, reason: "none" } as const);

it("says what auto has come to", async () => {
  const auto = settleDevice("auto", { attempt });
  expect(await auto.next()).toEqual({
    done: false,
    value: { kind: "note", step: "device", part: "", message: "auto is dml on this machine" },
  });
  expect(await auto.next()).toEqual({ done: true, value: { name: "dml" } });
});

it("has nothing to say of what was asked for", async () => {
  expect(await settleDevice("dml", { attempt }).next()).toEqual({ done: true, value: { name: "dml" } });
  expect(await settleDevice(undefined).next()).toEqual({ done: true, value: { name: "cpu" } });
});
