import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { COMMANDS } from "../commands.ts";
import { listOptions } from "../options.ts";
import { runCli } from "../run-cli.ts";

const run = promisify(execFile);
const has = (shell: string): boolean => {
  try {
    execFileSync(shell, ["-c", "true"]);
    return true;
  } catch {
    return false; // not on this machine
  }
};

let folder: string;
const scriptOf = (shell: string): string => join(folder, `sep.${shell}`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-completion-"));
  for (const name of ["study.yaml", "study two.yaml"]) await writeFile(join(folder, name), "");
  for (const shell of ["bash", "zsh", "fish"]) {
    const cli = createFakeCli();
    expect(await runCli(["completion", shell], cli.context)).toBe(0);
    await writeFile(scriptOf(shell), cli.stdout());
  }
});

/** Line before the cursor -> what the tab key offers. */
const CASES: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ["sep sco", ["score"]],
  ["sep models ", ["list", "info", "pull"]],
  ["sep models l", ["list"]],
  ["sep models list --", ["--json", "--help"]],
  ["sep run --posi", ["--positions", "--position"]],
  ["sep run --device cu", ["cuda"]],
  ["sep run --device=cu", ["cuda"]],
  ["sep run --positions think-end,la", ["think-end,last-token"]],
  ["sep run --model po", ["pocket"]],
  ["sep run --config stu", ["study.yaml", "study two.yaml"]],
  ["sep run --limit ", []],
  ["sep completion ", ["bash", "zsh", "fish"]],
];

describe.runIf(has("bash"))("bash", () => {
  // the shell itself would split the line so: at spaces, and around an equals sign
  const complete = async (line: string): Promise<string[]> => {
    const words = line.split(/ |(=)/).filter((word) => word !== undefined);
    const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sep; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run("bash", ["-c", script, "bash", scriptOf("bash"), ...words], { cwd: folder });
    return stdout.split("\n").filter((word) => word !== "");
  };

  it.each(CASES)("%j", async (line, offered) => {
    const found = (await complete(line)).filter((word) => offered.includes("--help") || word !== "--help");
    expect(found.sort()).toEqual([...offered].sort());
  });

  it("knows every command and every option", async () => {
    const [first = [], ...options] = await Promise.all(
      ["sep ", ...COMMANDS.map(({ name }) => `sep ${name} -`)].map(complete),
    );
    for (const [index, { name, options: settings }] of COMMANDS.entries()) {
      expect(first).toContain(name.split(" ")[0]);
      const flags = listOptions(settings).filter(({ operand, isRest }) => operand === undefined && !isRest);
      expect(options[index]?.sort()).toEqual(["--help", ...flags.map(({ flag }) => `--${flag}`)].sort());
    }
  }, 20_000);
});

describe.runIf(has("fish"))("fish", () => {
  it.each(CASES)("%j", async (line, offered) => {
    const script = `source "$argv[1]"; complete -C "$argv[2]"`;
    const { stdout } = await run("fish", ["--no-config", "-c", script, scriptOf("fish"), line], {
      cwd: folder,
      env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
    });
    const found = stdout
      .split("\n")
      .map((row) => row.split("\t")[0]?.replace("--device=", "") as string)
      .filter((word) => word !== "" && (offered.includes("--help") || word !== "--help"));
    expect(found.sort()).toEqual([...offered].sort());
  });
});

describe.runIf(has("zsh"))("zsh", () => {
  it("reads the script, which knows the words", async () => {
    const script = `compdef() { :; }; source "$1"; _sep_words run --device; _sep_words models ""; whence -w _sep`;
    const { stdout } = await run("zsh", ["-f", "-c", script, "zsh", scriptOf("zsh")]);
    expect(stdout).toBe("cpu cuda webgpu coreml dml auto\nlist info pull --help\n_sep: function\n");
  });
});
