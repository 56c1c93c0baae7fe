import { describe, expect, it } from "vitest";
import { createProgressMeter, formatDuration, formatLiveLine, formatPlainLine } from "./progress-meter.ts";

const started = {
  kind: "started",
  step: "generate",
  part: "math",
  unit: "answer",
  done: 600,
  total: 1000,
} as const;
const advanced = (done: number) =>
  ({ kind: "advanced", step: "generate", part: "math", done, total: 1000 }) as const;

describe("createProgressMeter", () => {
  it("counts only this run's work for rate and ETA", () => {
    const meter = createProgressMeter(started, 5_000);
    expect(meter.read(5_000)).toMatchObject({ done: 600, ratePerSecond: null, etaMs: null });
    // 100 answers in 10 s on top of 600 from an interrupted run: 10 a second, 300 left.
    expect(meter.update(advanced(700), 15_000)).toEqual({
      label: "generate math",
      unit: "answer",
      done: 700,
      total: 1000,
      detail: "",
      elapsedMs: 10_000,
      ratePerSecond: 10,
      etaMs: 30_000,
    });
  });

  it("follows one part of one step", () => {
    const meter = createProgressMeter(started, 0);
    expect(meter.follows(advanced(1))).toBe(true);
    expect(meter.follows({ step: "generate", part: "ood" })).toBe(false);
    expect(meter.follows({ step: "trace", part: "math" })).toBe(false);
  });

  it("has no rate when no time has passed", () => {
    expect(createProgressMeter(started, 0).update(advanced(700), 0).ratePerSecond).toBeNull();
  });
});

describe("lines", () => {
  const progress = createProgressMeter(started, 0).update(advanced(750), 15_000);

  it("shows bar, count, rate, ETA and time", () => {
    expect(formatLiveLine(progress, 100)).toBe(
      "generate math  ██████████████████░░░░░░  750/1000 answers  10/s  ETA 0:25  0:15",
    );
    expect(formatPlainLine(progress)).toBe(
      "generate math: 750/1000 answers (75%), 10/s, ETA 0:25, elapsed 0:15",
    );
  });

  it("never gets wider than the terminal", () => {
    for (const columns of [1, 10, 40, 79]) expect(formatLiveLine(progress, columns)).toHaveLength(columns);
  });

  it("shows a full bar for nothing to do", () => {
    const empty = createProgressMeter({ ...started, done: 0, total: 0 }, 0).read(0);
    expect(formatLiveLine(empty, 100)).toContain("█".repeat(24));
    expect(formatPlainLine(empty)).toContain("0/0 answers (100%)");
  });

  it.each([
    [0, "0:00"],
    [7_400, "0:07"],
    [59_600, "1:00"],
    [125_000, "2:05"],
    [3_725_000, "1:02:05"],
  ])("writes %d ms as %s", (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });
});
