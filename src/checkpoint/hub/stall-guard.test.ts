import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openStallGuard } from "./stall-guard.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("ends a request on which nothing comes in any more", () => {
  const guard = openStallGuard(undefined);
  for (let i = 0; i < 10; i++) {
    vi.advanceTimersByTime(29_000);
    guard.touch();
  }
  expect(guard.signal.aborted).toBe(false);
  vi.advanceTimersByTime(29_999);
  expect(guard.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(guard.signal.reason).toEqual(new Error("no data for 30 s"));
});

it("passes an abort on, and does nothing once it is closed", () => {
  const abort = new AbortController();
  const guard = openStallGuard(abort.signal);
  guard.close();
  vi.advanceTimersByTime(60_000);
  expect(guard.signal.aborted).toBe(false);
  abort.abort(new Error("enough"));
  expect(guard.signal.reason).toEqual(new Error("enough"));
});
