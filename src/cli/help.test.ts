import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createFakeCli, type FakeCliOptions } from "../../test/fakes/cli-context.ts";
import { flag, inGroup, setting } from "../study/settings/setting.ts";
import { COMMANDS } from "./commands.ts";
import { describeOptions } from "./help.ts";
import { runCli } from "./run-cli.ts";

const plain = (_style: string, text: string): string => text;

const TABLE = {
  ...inGroup("Study and output", { json: flag("JSON.") }),
  backend: setting(z.enum(["local", "hf"]).default("local"), "Engine."),
  ...inGroup("Sampling and grading", {
    temperature: setting(z.number().min(0).default(0.6), "Heat."),
    limit: setting(z.int().min(1).optional(), "How many.", { fallback: "all" }),
  }),
  file: setting(z.string().min(1), "What to read.", { placeholder: "FILE", operand: "one" }),
};

describe("describeOptions", () => {
  it("lists groups in one order, whatever the order of the settings, with the operand first", () => {
    expect(describeOptions(TABLE, { columns: 80, paint: plain })).toBe(
      [
        "Main options:",
        "  FILE                What to read.",
        "  --backend local|hf  Engine. [local]",
        "",
        "Sampling and grading:",
        "  --temperature N     Heat. [0.6]",
        "  --limit N           How many. [all]",
        "",
        "Study and output:",
        "  --json              JSON.",
      ].join("\n"),
    );
  });

  it("needs no heading but one for a single group", () => {
    expect(describeOptions({ json: flag("JSON.") }, { columns: 80, paint: plain })).toBe(
      "Options:\n  --json  JSON.",
    );
  });

  it("puts texts below the names where there is no room beside them, and breaks alternatives", () => {
    const choices = ["before-generation", "second-to-last", "think-end", "last-token", "every-token"];
    const position = setting(z.enum(choices as [string]), "Where to read.");
    expect(describeOptions({ position }, { columns: 60, paint: plain })).toBe(
      [
        "Options:",
        "  --position before-generation|second-to-last|",
        "      think-end|last-token|every-token",
        "      Where to read.",
      ].join("\n"),
    );
  });
});

async function help(args: readonly string[], options: FakeCliOptions): Promise<string> {
  const cli = createFakeCli(options);
  await runCli(args, cli.context);
  return cli.stdout();
}

describe.each([60, 80, 200])("at %i columns", (columns) => {
  it("no line of text is longer, and none than can be read with ease", async () => {
    for (const words of [[], ...COMMANDS.map(({ name }) => name.split(" "))]) {
      const page = await help([...words, "--help"], { columns });
      const [text] = page.split("\nExamples:\n") as [string];
      for (const line of text.split("\n"))
        expect(line.length, line).toBeLessThanOrEqual(Math.min(columns, 110));
    }
  });
});

it("has colours on a terminal alone, unless they are refused or forced", async () => {
  const hasColours = async (options: FakeCliOptions): Promise<boolean> =>
    (await help(["run", "--help"], options)).includes("\u001b[");
  expect(await hasColours({ isTTY: true })).toBe(true);
  expect(await hasColours({ isTTY: false })).toBe(false);
  expect(await hasColours({ isTTY: true, env: { NO_COLOR: "1" } })).toBe(false);
  expect(await hasColours({ isTTY: true, env: { TERM: "dumb" } })).toBe(false);
  expect(await hasColours({ isTTY: false, env: { FORCE_COLOR: "1" } })).toBe(true);
  const painted = await help(["run", "--help"], { isTTY: true });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the styles of a terminal begin with one
  expect(painted.replace(/\u001b\[\d+m/g, "")).toBe(await help(["run", "--help"], { isTTY: false }));
});
