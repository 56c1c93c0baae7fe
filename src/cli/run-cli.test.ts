import { describe, expect, it } from "vitest";
import { createFakeCli } from "../../test/fakes/cli-context.ts";
import { COMMANDS } from "./commands.ts";
import { listOptions } from "./options.ts";
import { runCli } from "./run-cli.ts";

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const cli = createFakeCli({ env });
  const code = await runCli(args, cli.context);
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

describe("help and version", () => {
  it.each([["--help"], ["-h"], ["help"]])("%s lists every command on stdout", async (arg) => {
    const { code, stdout, stderr } = await run([arg]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const { name, summary } of COMMANDS)
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary.slice(0, 8)}`, "m"));
  });

  it("without a command shows the same on stderr, as wrong usage", async () => {
    const { code, stdout, stderr } = await run([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: sep COMMAND");
  });

  it.each([["--version"], ["-v"], ["version"]])("%s prints the versions", async (arg) => {
    expect((await run([arg])).stdout).toMatch(
      /^semantic-entropy-probes \d+\.\d+\.\d+, Node \d+\.\d+\.\d+, onnxruntime \d+\.\d+\.\d+, \w+ \w+\n$/,
    );
  });

  it("version --json has the same for scripts", async () => {
    expect(JSON.parse((await run(["version", "--json"])).stdout)).toMatchObject({
      kind: "version",
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
    });
  });

  it.each(COMMANDS.map(({ name, options }) => [name, options] as const))(
    "%s --help shows usage, options and examples",
    async (name, options) => {
      const words = name.split(" ");
      const { code, stdout } = await run([...words, "--help"]);
      expect(code).toBe(0);
      expect(stdout).toMatch(
        new RegExp(`^Usage: sep ${name}( \\[?[A-Z_]+\\]?)? \\[options\\]( \\[-- ARGS\\])?$`, "m"),
      );
      for (const { flag, operand, isRest } of listOptions(options))
        if (operand === undefined && !isRest) expect(stdout).toContain(`--${flag}`);
      expect(stdout).toMatch(new RegExp(`Examples:\n( {2}# .+\n)+ {2}sep ${name}`));
      expect(stdout).toBe((await run(["help", ...words])).stdout);
      for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(112);
    },
  );
});

it.each([
  [["models", "--help"], 0],
  [["help", "models"], 0],
  [["models"], 2],
] as const)("%j lists the commands that begin so", async (args, status) => {
  const { code, stdout, stderr } = await run(args);
  expect(code).toBe(status);
  const listed = [...(status === 0 ? stdout : stderr).matchAll(/^ {2}([a-z ]+?) {2}/gm)];
  expect(listed.map(([, name]) => name)).toEqual(["models list", "models info", "models pull"]);
});

/** Of options that "1" is no value of. */
const VALUE_OF: Readonly<Record<string, string>> = {
  dtype: "float16",
  device: "cpu",
  "vllm-api": "completions",
  "vllm-states": "extract",
  "max-model-len": "2",
};

describe("errors", () => {
  it.each([
    [["genrate"], 'There is no command "genrate". Did you mean `sep generate`?'],
    [["frobnicate"], 'There is no command "frobnicate". See `sep --help`.'],
    [["help", "evaluate"], "Did you mean `sep eval`?"],
    [["run", "--temprature", "1"], "`sep run` has no option --temprature. Did you mean --temperature?"],
    [["generate", "--temperature", "hot"], "sep generate: Got --temperature hot, expected a number >= 0."],
    [
      ["generate", "--backend", "sglang"],
      "Got --backend sglang, expected a .js, .mjs or .ts file, or local, hf or vllm",
    ],
    [
      ["generate", "--dtype", "fp8"],
      "Got --dtype fp8, expected float32, int8, int4, auto, bfloat16, float16 or half",
    ],
    [
      ["generate", "--max-new-tokens", "99999999"],
      "Got --max-new-tokens 99999999, expected an integer >= 1 and <= 10000000",
    ],
    [["run", "--runs", "1"], "Got --runs 1, but semantic entropy compares the answers to a question"],
    [["generate", "--backend", "vllm", "--dtype", "int8"], "Got --dtype int8 with vLLM"],
    [["generate", "--backend", "vllm", "--vllm-url", "localhost"], "expected an address like"],
    [
      ["report", "--figures", "svg,gif"],
      "Got --figures svg,gif, expected some of svg, pdf or png separated by commas.",
    ],
    [
      ["generate", "--backend", "vllm", "--launch", "--vllm-url", "http://localhost:8000"],
      "Got --launch with --vllm-url http://localhost:8000, but only a vLLM server that sep starts uses it.",
    ],
    [
      ["trace", "--backend", "vllm", "--dtype", "float16", "--vllm-url", "http://localhost:8000"],
      "Got --dtype with --vllm-url http://localhost:8000, but only a vLLM server that sep starts uses it.",
    ],
    [["generate", "--best-temperature", "0.2"], "Got --best-temperature without --best-answer, but it has"],
    [
      ["trace", "--verify-sample", "3"],
      "Got --verify-sample without --verify, but it has an effect only with that option.",
    ],
    [
      ["entropy", "--nli-model", "x", "--equivalence", "exact"],
      "Got --nli-model with --equivalence exact, but only --equivalence nli or hybrid uses it.",
    ],
    [
      ["serve", "--judge-url", "http://localhost:8000"],
      "Got --judge-url with --equivalence auto, but only --equivalence judge uses it.",
    ],
    [
      ["run", "--cosine-threshold", "0.9", "--equivalence", "nli", "--estimates", "all"],
      "Got --cosine-threshold with --equivalence nli, but only --equivalence cosine uses it.",
    ],
    [["entropy", "--p-true-shot-count", "3"], "Got --p-true-shot-count without --p-true-shots, but it has"],
    [["train", "math"], '`sep train` takes options only, got "math".'],
    [["models", "lst"], 'There is no command "models lst". Did you mean `sep models list`?'],
    [["modles", "list"], 'There is no command "modles". Did you mean `sep models`?'],
    [["models", "fetch", "a/b"], 'There is no command "models fetch". See `sep models --help`.'],
    [["help", "models", "fetch"], 'There is no command "models fetch". See `sep models --help`.'],
    [["models", "pull"], "`sep models pull` needs MODEL."],
    [["models", "pull", "a/b", "c/d"], '`sep models pull` takes one MODEL only, got "c/d".'],
  ])("%j is wrong usage", async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain("[bad-option; see docs/errors.md]");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  /** Every setting that some backends alone read, with each of the others. */
  const idle = COMMANDS.filter(({ options }) => options.backend !== undefined).flatMap(({ name, options }) =>
    listOptions(options).flatMap(({ flag, takesValue, backends }) =>
      ["local", "hf", "vllm", "nnsight", "own.mjs"]
        .filter((backend) => backend !== "nnsight" || name === "trace")
        .filter((backend) => backends?.includes(backend === "hf" ? "local" : backend) === false)
        .map((backend) => [name, flag, takesValue ? [VALUE_OF[flag] ?? "1"] : [], backend] as const),
    ),
  );
  it.each(idle)(
    "sep %s --%s %j with --backend %s, which does not read it",
    async (name, flag, value, backend) => {
      const { code, stderr } = await run([name, "--backend", backend, `--${flag}`, ...value]);
      expect(stderr).toContain(`Got --${flag} with --backend ${backend}, but only --backend `);
      expect(code).toBe(2);
    },
  );

  it("settings of one backend are known as such", () => {
    const flags = (command: string): readonly string[] =>
      idle.filter(([name, , , backend]) => name === command && backend === "own.mjs").map(([, flag]) => flag);
    expect(flags("run")).toEqual(expect.arrayContaining(["vllm-url", "gpu-mem-utilization", "dtype"]));
    expect(flags("trace")).toEqual(expect.arrayContaining(["vllm-url", "ndif", "device", "threads"]));
    expect(flags("generate"), "models of meaning run in threads too").not.toContain("threads");
  });

  it("of the work itself give code 1, and JSON for machines", async () => {
    const args = ["entropy", "--out", "/nowhere", "--json", "--set", "math"];
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sep entropy: .*math_runs\.jsonl.* \[missing-input; see docs\/errors\.md\]\n$/);
    expect(JSON.parse(stdout)).toEqual({
      kind: "error",
      code: "missing-input",
      message: expect.stringContaining("math_runs.jsonl"),
    });
  });

  it("show their stack only when asked", async () => {
    const args = ["entropy", "--out", "/nowhere", "--set", "math"];
    expect((await run(args)).stderr).not.toMatch(/^ +at /m);
    expect((await run(args, { SEP_DEBUG: "1" })).stderr).toMatch(/^ +at /m);
  });

  it("after Ctrl-C are no errors: finished work is kept", async () => {
    const cli = createFakeCli();
    cli.abort();
    expect(await runCli(["entropy", "--out", "/nowhere"], cli.context)).toBe(130);
    expect(cli.stderr()).toContain("run the same command again to resume. [interrupted; see docs/errors.md]");
  });
});
