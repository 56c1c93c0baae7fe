import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseOptions } from "./options.ts";
import { SAMPLING_OPTIONS } from "./sampling-options.ts";
import { readSamplingChoices, type SamplingChoices } from "./sampling-values.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-values-"));
});
afterEach(() => rm(folder, { recursive: true }));

const read = (...args: string[]): Promise<SamplingChoices> =>
  readSamplingChoices(parseOptions("generate", SAMPLING_OPTIONS, args));
async function put(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

it("leaves open what the user leaves open", async () => {
  expect(await read()).toEqual({
    runs: 10,
    sampler: { stopStrings: [] },
    samplerPreset: "study",
    promptFormat: "auto",
    systemPrompt: undefined,
    enableThinking: undefined,
    correctness: "auto",
  });
  expect((await read("--temperature", "0.6")).sampler.temperature).toBe(0.6);
});

it("reads the files that options name", async () => {
  const template = await put("t.txt", "Q: {question}\n");
  const system = await put("s.txt", "Be brief.\nBe right.\n");
  const choices = await read("--prompt-format", template, "--system-prompt", `@${system}`);
  expect(choices.promptFormat).toEqual({
    kind: "template",
    template: { name: template, text: "Q: {question}" },
  });
  expect(choices.systemPrompt).toBe("Be brief.\nBe right.");
  const shots = await put(
    "shots.jsonl",
    '{"question":"1 + 1?","answer":"2"}\n{"question":"2 + 2?","answer":4}\n',
  );
  expect((await read("--prompt-format", "few-shot", "--shots", shots)).promptFormat).toEqual({
    kind: "few-shot",
    shots: [
      { question: "1 + 1?", answer: "2" },
      { question: "2 + 2?", answer: "4" },
    ],
  });
  expect((await read("--prompt-format", "few-shot")).promptFormat).toBe("few-shot");
});

it.each([
  [["--prompt-format", "chta"], /expected auto, chat, notebook, reasoning, few-shot, or the file/],
  [["--shots", "general"], /--shots with --prompt-format auto, expected --prompt-format few-shot/],
  [["--system-prompt", "@nowhere.txt"], /there is no such file/],
])("%j is wrong usage", async (args, message) => {
  await expect(read(...args)).rejects.toMatchObject({ code: "bad-option", message });
});

it("a template without a place for the question is refused with its name", async () => {
  const path = await put("t.txt", "Q: {Question}\n");
  await expect(read("--prompt-format", path)).rejects.toMatchObject({
    message: /t\.txt has no \{question\}/,
  });
});
