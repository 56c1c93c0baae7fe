import { describe, expect, it, test } from "vitest";
import { createFakeCli, type FakeCli } from "../../test/fakes/cli-context.ts";
import type { StepEvent } from "../study/step.ts";
import { formatEstimates, renderProgress } from "./render-progress.ts";

const FOR_PEOPLE = { json: false, quiet: false };

const started = (part: string, done: number, total: number): StepEvent => ({
  kind: "started",
  step: "generate",
  part,
  unit: "answer",
  done,
  total,
});
const advanced = (part: string, done: number, total: number): StepEvent => ({
  kind: "advanced",
  step: "generate",
  part,
  done,
  total,
});
const note: StepEvent = { kind: "note", step: "generate", part: "math", message: "a note" };
const warning: StepEvent = {
  kind: "warning",
  step: "generate",
  part: "math",
  warning: { code: "truncated", message: "3 answers were cut off" },
};

/** Yields the events, each some milliseconds after the one before it. */
async function* play(
  cli: FakeCli,
  events: readonly StepEvent[],
  stepMs = 1_000,
): AsyncGenerator<StepEvent, string> {
  for (const event of events) {
    cli.advance(stepMs);
    yield event;
  }
  return "result";
}

const tenths = Array.from({ length: 101 }, (_, done) => advanced("math", done, 100));

describe("not on a terminal", () => {
  it("prints a line each tenth of the work, notes and warnings, and the last state", async () => {
    const cli = createFakeCli();
    const events = [started("math", 0, 100), note, ...tenths, warning];
    expect(await renderProgress(play(cli, events), FOR_PEOPLE, cli.context)).toBe("result");
    const lines = cli.stderr().trimEnd().split("\n");
    expect(lines[0]).toBe("generate math: 100 answers to do");
    expect(lines[1]).toBe("generate math: a note");
    expect(
      lines.filter((line) => /\/100 answers/.test(line)).map((line) => Number(/: (\d+)/.exec(line)?.[1])),
    ).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    expect(lines.at(-1)).toBe("warning generate math: 3 answers were cut off [truncated]");
    expect(cli.stdout()).toBe("");
  });

  it("keeps quick work to two lines and slow work alive", async () => {
    const quick = createFakeCli();
    await renderProgress(play(quick, [started("math", 0, 100), ...tenths], 5), FOR_PEOPLE, quick.context);
    expect(quick.stderr().trimEnd().split("\n")).toHaveLength(2);

    const slow = createFakeCli();
    const events = [started("math", 0, 1000), advanced("math", 1, 1000), advanced("math", 2, 1000)];
    await renderProgress(play(slow, events, 31_000), FOR_PEOPLE, slow.context);
    expect(slow.stderr().trimEnd().split("\n")).toHaveLength(3);
  });
});

describe("on a terminal", () => {
  it("redraws one line a part and ends each with a newline", async () => {
    const cli = createFakeCli({ isTTY: true });
    const events = [
      started("math", 0, 2),
      advanced("math", 1, 2),
      advanced("math", 2, 2),
      started("ood", 0, 1),
    ];
    await renderProgress(play(cli, [...events, advanced("ood", 1, 1)]), FOR_PEOPLE, cli.context);
    const lines = cli.stderr().split("\n");
    expect(lines).toHaveLength(3);
    expect(lastDrawn(lines[0])).toMatch(/^generate math {2}█{24} {2}2\/2 answers {2}/);
    expect(lastDrawn(lines[1])).toMatch(/^generate ood {3}█{24} {2}1\/1 answers {2}/);
    expect(lines[2]).toBe("");
  });

  it("does not redraw for every event", async () => {
    const cli = createFakeCli({ isTTY: true });
    await renderProgress(play(cli, [started("math", 0, 100), ...tenths], 1), FOR_PEOPLE, cli.context);
    expect(cli.stderr().split("\r").length).toBeLessThan(6);
  });

  it("puts notes above the live line, in colour unless NO_COLOR is set", async () => {
    const events = [started("math", 0, 2), warning, advanced("math", 2, 2)];
    const coloured = createFakeCli({ isTTY: true });
    await renderProgress(play(coloured, events), FOR_PEOPLE, coloured.context);
    expect(coloured.stderr()).toContain("\u001b[33mwarning\u001b[39m generate math: 3 answers");
    const plain = createFakeCli({ isTTY: true, env: { NO_COLOR: "1" } });
    await renderProgress(play(plain, events), FOR_PEOPLE, plain.context);
    expect(plain.stderr()).toContain("\r\u001b[Kwarning generate math: 3 answers were cut off [truncated]\n");
    expect(plain.stderr()).not.toContain("\u001b[33m");
  });
});

/** What a terminal shows of a line that was drawn over. */
const lastDrawn = (line: string | undefined): string =>
  (line?.split("\r").at(-1) ?? "").replace("\u001b[K", "");

it("prints every event as JSON", async () => {
  const cli = createFakeCli();
  const events = [started("math", 0, 1), note, warning, advanced("math", 1, 1)];
  await renderProgress(play(cli, events), { json: true, quiet: false }, cli.context);
  expect(
    cli
      .stdout()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual(events);
  expect(cli.stderr()).toBe("");
});

it("prints warnings only when quiet", async () => {
  const cli = createFakeCli();
  await renderProgress(
    play(cli, [started("math", 0, 1), note, warning]),
    { json: false, quiet: true },
    cli.context,
  );
  expect(cli.stderr()).toBe("warning generate math: 3 answers were cut off [truncated]\n");
});

describe("the end", () => {
  it("closes the iterator when the signal is aborted", async () => {
    const cli = createFakeCli();
    let closed = false;
    async function* endless(): AsyncGenerator<StepEvent, never> {
      try {
        for (let done = 0; ; done++) {
          if (done === 3) cli.abort();
          yield advanced("math", done, 100);
        }
      } finally {
        closed = true;
      }
    }
    await expect(renderProgress(endless(), FOR_PEOPLE, cli.context)).rejects.toMatchObject({
      code: "interrupted",
    });
    expect(closed).toBe(true);
  });

  it("lets Ctrl-C be heard by a step that never waits", async () => {
    const cli = createFakeCli();
    setImmediate(() => cli.abort());
    async function* endless(): AsyncGenerator<StepEvent, never> {
      for (let done = 0; ; done++) {
        cli.advance(10);
        if (done > 10_000) throw new Error("never got a turn");
        yield advanced("math", 0, 100);
      }
    }
    await expect(renderProgress(endless(), FOR_PEOPLE, cli.context)).rejects.toMatchObject({
      code: "interrupted",
    });
  });

  it("passes a step's error on, after ending the live line", async () => {
    const cli = createFakeCli({ isTTY: true });
    async function* failing(): AsyncGenerator<StepEvent, never> {
      yield started("math", 0, 2);
      throw new Error("no");
    }
    await expect(renderProgress(failing(), FOR_PEOPLE, cli.context)).rejects.toThrow("no");
    expect(cli.stderr().endsWith("\n")).toBe(true);
  });
});

describe("warnings", () => {
  const warn = (
    step: "entropy" | "trace" | "eval",
    part: string,
    message = "2 lines are bad",
  ): StepEvent => ({
    kind: "warning",
    step,
    part,
    warning: { code: "bad-lines", message },
  });
  const events = [
    warn("entropy", "math"),
    warn("trace", "math"),
    warn("trace", "ood"),
    warn("trace", "math", "3 lines are bad"),
    warn("eval", "", "few questions"),
  ];

  it("are printed once, with a reference to the first for another question set", async () => {
    for (const quiet of [false, true]) {
      const cli = createFakeCli();
      await renderProgress(play(cli, events), { json: false, quiet }, cli.context);
      expect(cli.stderr().trimEnd().split("\n")).toEqual([
        "warning entropy math: 2 lines are bad [bad-lines]",
        "warning trace ood: same as for math [bad-lines]",
        "warning trace math: 3 lines are bad [bad-lines]",
        "warning eval: few questions [bad-lines]",
      ]);
    }
  });

  it("wait for the result that lists them, unless there is none", async () => {
    const listing = { ...FOR_PEOPLE, listedLater: ["trace", "eval"] as const };
    const cli = createFakeCli();
    await renderProgress(play(cli, events), listing, cli.context);
    expect(cli.stderr()).toBe("warning entropy math: 2 lines are bad [bad-lines]\n");
    const failing = createFakeCli();
    async function* fail(): AsyncGenerator<StepEvent, never> {
      yield* events;
      throw new Error("no result");
    }
    await expect(renderProgress(fail(), listing, failing.context)).rejects.toThrow("no result");
    expect(failing.stderr()).toContain("warning eval: few questions");
    const quiet = createFakeCli();
    await renderProgress(play(quiet, events), { ...listing, quiet: true }, quiet.context);
    expect(quiet.stderr()).toContain("warning eval: few questions");
  });

  it("are all there for machines", async () => {
    const cli = createFakeCli();
    await renderProgress(play(cli, events), { json: true, quiet: false }, cli.context);
    expect(cli.stdout().trimEnd().split("\n")).toHaveLength(events.length);
  });
});

test("a table of what was computed, why not all, and what it took", () => {
  const costs = [
    { name: "luq", computed: 3, missing: { entailment: 7 }, durationMs: 1.234, nliPairs: 120 },
    { name: "regular_entropy", computed: 9, missing: { finite: 1 }, durationMs: 12, nliPairs: 0 },
  ];
  expect(formatEstimates({ questions: 10, costs }).split("\n")).toEqual([
    "measure          questions     time  NLI pairs  missing",
    "luq                3 of 10   1.2 ms        120  an NLI model's verdicts on all pairs of answers, in 7",
    "regular_entropy    9 of 10  12.0 ms             infinite or undefined in 1",
  ]);
});
