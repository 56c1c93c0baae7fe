import { execFile } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SEP = join(ROOT, "dist/cli/main.js");
const run = promisify(execFile);

/** The tutorial's way without a network: what stands for the model and for how it is asked. */
const OFFLINE: readonly (readonly [RegExp, string])[] = [
  [/--model \S+\.gguf/, "--model pocket"],
  [/--dataset general/, "--dataset arithmetic --limit 60"],
  [/--prompt-format few-shot( --shots general)?/, ""],
  [/--max-new-tokens \d+/, ""],
  [/--equivalence exact/, ""],
  [/general-\d+/, "arith-0001"],
];

it("the commands of docs/tutorial.md run one after the other, with the embedded model in place of the real one", {
  tags: ["long"],
  timeout: 300_000,
}, async () => {
  const page = await readFile(join(ROOT, "docs/tutorial.md"), "utf8");
  const commands = [...page.matchAll(/^```bash\n(.*?)^```/gms)]
    .flatMap(([, block]) => (block as string).replace(/\\\n\s*/g, "").split("\n"))
    .filter((line) => line.startsWith("npx sep "))
    .map((line) => OFFLINE.reduce((text, [from, to]) => text.replace(from, to), line));
  expect(commands.map((line) => line.split(" ")[2])).toEqual(["run", "clusters", "score", "score", "report"]);
  const cwd = await mkdtemp(join(tmpdir(), "sep-tutorial-"));
  for (const command of commands) {
    const line = command.replace(/^npx sep/, `"${process.execPath}" "${SEP}"`).replace(" --open", "");
    const { stdout } = await run("bash", ["-c", line], { cwd });
    expect(stdout.length, command).toBeGreaterThan(0);
  }
});
