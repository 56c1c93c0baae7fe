import { zipSync } from "fflate";
import { MOST_WEB_WEIGHTS } from "semantic-entropy-probes/engine";
import { describe, expect, it } from "vitest";
import { readOwnFiles } from "./own-files.ts";

const file = (name: string, text = name): File => new File([text], name);
const MODEL = [
  "config.json",
  "tokenizer.json",
  "model-00001-of-00002.safetensors",
  "model-00002-of-00002.safetensors",
];
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
/** Of a size that nobody wants to allocate. */
const large = (name: string): File =>
  Object.defineProperty(file(name), "size", { value: MOST_WEB_WEIGHTS / 2 + 1 });

describe("readOwnFiles", () => {
  it("takes a model's files by their names, and a probe's under the archive's", async () => {
    const probe = ["accuracy_probe.json", "accuracy_probe.safetensors"];
    const files = await readOwnFiles([...MODEL, "chat_template.jinja", ...probe].map((name) => file(name)));
    expect(Object.keys(files).sort()).toEqual(
      [...MODEL, "chat_template.jinja", "probe.json", "probe.safetensors"].sort(),
    );
    expect(textOf(files["probe.json"])).toBe("accuracy_probe.json");
  });

  it("unpacks the archive of a page", async () => {
    const content = Object.fromEntries(
      [...MODEL, "study.json"].map((name) => [name, new TextEncoder().encode(name)]),
    );
    const files = await readOwnFiles([new File([zipSync(content) as BlobPart], "model.zip")]);
    expect(textOf(files["study.json"])).toBe("study.json");
  });

  it.each([
    [[file("config.json")], "lack tokenizer.json, model.safetensors"],
    [[...MODEL, "entropy_probe.json"].map((name) => file(name)), "lack the probe's other file"],
    [[...MODEL, "a_probe.json", "b_probe.json"].map((name) => file(name)), "b_probe.json is a second file"],
    [[file("model.Q4_K_M.gguf")], "GGUF files are read by sep on Node only"],
    [[file("notes.txt")], "notes.txt is no file that this page reads"],
    [[file("broken.zip")], "broken.zip is no zip archive"],
    [[file("config.json"), large("model-1.safetensors"), large("model-2.safetensors")], "1200 MB at most"],
  ])("says what is wrong with a choice of files: %#", async (files, message) => {
    await expect(readOwnFiles(files)).rejects.toThrow(message);
  });
});
