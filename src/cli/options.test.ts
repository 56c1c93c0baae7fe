import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ENGINE } from "../study/settings/backends.ts";
import {
  DATASET_SETTINGS,
  TRACE_SETTINGS,
  TRAIN_POSITIONS,
  TRAIN_SETTINGS,
} from "../study/settings/probes.ts";
import { flag, setting, text } from "../study/settings/setting.ts";
import { parseOptions } from "./options.ts";

const TABLE = {
  out: setting(z.string().min(1).default("."), "Folder.", { placeholder: "DIR" }),
  model: text("DIR", "Model."),
  limit: setting(z.int().min(1).optional(), "How many.", { fallback: "all" }),
  temperature: setting(z.number().min(0).default(0.6), "Heat."),
  topP: setting(z.number().gt(0).max(1).default(0.9), "Nucleus."),
  minP: setting(z.number().min(0).lt(1).default(0), "Share."),
  backend: setting(z.enum(["local", "hf"]).default("local"), "Engine.", { hint: "Servers come later" }),
  stop: setting(z.array(z.string().min(1)).default([]), "Stop here.", {
    placeholder: "TEXT",
    isRepeatable: true,
  }),
  json: flag("JSON."),
  noThinking: flag("No reasoning."),
};
const parse = (...args: string[]) => parseOptions("try", TABLE, args).values;

describe("parseOptions", () => {
  it("fills in the defaults", () => {
    expect(parse()).toEqual({
      out: ".",
      model: undefined,
      limit: undefined,
      temperature: 0.6,
      topP: 0.9,
      minP: 0,
      backend: "local",
      stop: [],
      json: false,
      noThinking: false,
    });
  });

  it("reads values after a space and after =, flags, and repeated options", () => {
    expect(
      parse(
        "--out",
        "a b",
        "--temperature=0",
        "--limit",
        "5",
        "--json",
        "--stop",
        "x",
        "--stop=--y",
        "--no-thinking",
      ),
    ).toMatchObject({
      out: "a b",
      temperature: 0,
      limit: 5,
      json: true,
      stop: ["x", "--y"],
      noThinking: true,
    });
  });

  it("takes the last of an option given twice", () => {
    expect(parse("--limit", "5", "--limit", "6").limit).toBe(6);
  });

  it.each([
    [["--temperature", "hot"], "Got --temperature hot, expected a number >= 0."],
    [["--temperature", "-1"], "Got --temperature -1, expected a number >= 0."],
    [["--temperature", "0x10"], "Got --temperature 0x10, expected a number >= 0."],
    [["--temperature", "1e999"], "Got --temperature 1e999, expected a number >= 0."],
    [["--temperature="], 'Got --temperature "", expected a number >= 0.'],
    [["--limit", "0"], "Got --limit 0, expected an integer >= 1."],
    [["--limit", "1.5"], "Got --limit 1.5, expected an integer >= 1."],
    [["--limit", "9007199254740993"], "Got --limit 9007199254740993, expected an integer >= 1."],
    [["--top-p", "0"], "Got --top-p 0, expected a number > 0 and <= 1."],
    [["--top-p", "1.1"], "Got --top-p 1.1, expected a number > 0 and <= 1."],
    [["--min-p", "1"], "Got --min-p 1, expected a number >= 0 and < 1."],
    [["--backend", "vllm"], "Got --backend vllm, expected local or hf. Servers come later."],
    [["--out="], 'Got --out "", expected a text that is not empty.'],
    [["--json=yes"], "Got --json=yes, but --json takes no value."],
    [["--out"], "--out needs a value"],
    [["--out", "--json"], "--out needs a value"],
    [["--temprature", "1"], "`sep try` has no option --temprature. Did you mean --temperature?"],
    [["--frobnicate"], "`sep try` has no option --frobnicate. See `sep try --help`."],
    [["--toString"], "`sep try` has no option --toString."],
    [["-x"], "`sep try` has no option -x."],
    [["five"], '`sep try` takes options only, got "five".'],
  ])("refuses %j", (args, message) => {
    expect(() => parse(...args)).toThrow(
      expect.objectContaining({ code: "bad-option", message: expect.stringContaining(message) }),
    );
  });
});

describe("the steps' own kinds of option", () => {
  const trace = (...args: string[]) => parseOptions("trace", TRACE_SETTINGS, args).values;

  it("reads lists of positions and layers", () => {
    expect(trace()).toEqual({ positions: "all", layers: "all", answers: "auto" });
    expect(trace("--positions", "think-end,last-token", "--layers", "0, 4")).toEqual({
      positions: ["think-end", "last-token"],
      layers: [0, 4],
      answers: "auto",
    });
    expect(() => trace("--positions", "think-end,middle")).toThrow(
      /Got --positions think-end,middle, expected all/,
    );
    expect(() => trace("--layers", "1,-2")).toThrow(/Got --layers 1,-2, expected all, or layers from 0/);
    expect(() => trace("--layers", "1,,2")).toThrow(/expected/);
  });

  it("reads a threshold by rule or in nats", () => {
    const threshold = (...args: string[]) => parseOptions("train", TRAIN_SETTINGS, args).values.seThreshold;
    expect(threshold()).toBe("best-split");
    expect(threshold("--se-threshold", "median")).toBe("median");
    expect(threshold("--se-threshold", "0.5")).toBe(0.5);
    expect(() => threshold("--se-threshold", "mean")).toThrow(
      /expected best-split, median, even or a number >= 0/,
    );
  });

  it("reads where probes of a training may read", () => {
    const train = (...args: string[]) => parseOptions("train", TRAIN_POSITIONS, args).values.positions;
    expect(train()).toBe("dataset");
    expect(train("--positions", "dataset")).toBe("dataset");
    expect(train("--positions", "all")).toBe("all");
    expect(train("--positions", "think-end, last-token")).toEqual(["think-end", "last-token"]);
    expect(() => train("--positions", "everywhere")).toThrow(/expected dataset, all, or some of/);
  });

  it("reads what probes are, their window, and how they are tested", () => {
    const train = (...args: string[]) => parseOptions("train", TRAIN_SETTINGS, args).values;
    expect(train()).toMatchObject({ probe: "logistic", window: 1, nested: false, permutations: 0 });
    expect(train("--probe", "ridge", "--window", "5", "--nested", "--permutations", "1000")).toMatchObject({
      probe: "ridge",
      window: 5,
      nested: true,
      permutations: 1000,
    });
    expect(() => train("--probe", "svm")).toThrow(/logistic, ridge, mean-difference or mlp/);
    expect(() => train("--window", "0")).toThrow(/an integer >= 1/);
  });

  it("reads a probe's position", () => {
    expect(() => parseOptions("dataset", DATASET_SETTINGS, ["--position", "tbg"])).toThrow(
      /expected auto, before-generation, second-to-last, think-end, last-token, step-end, .* or spans/,
    );
  });
});

it.each([
  [["--device", "gpu"], /^Got --device gpu, expected cpu, cuda, webgpu, coreml, dml or auto\. `sep doctor`/],
  [["--memory", "0"], /^Got --memory 0, expected a number > 0/],
  [["--memory", "4GB"], /^Got --memory 4GB, expected a number/],
  [["--threads", "0"], /^Got --threads 0, expected an integer >= 1/],
])("refuses %j", (args, message) => {
  expect(() => parseOptions("generate", ENGINE, args)).toThrow(message);
});
