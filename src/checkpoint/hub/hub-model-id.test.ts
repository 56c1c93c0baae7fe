import { describe, expect, it } from "vitest";
import { locateModelCache, repoOfFolder } from "./hub-cache.ts";
import { formatHubModelId, parseHubModelId } from "./hub-model-id.ts";

describe("parseHubModelId", () => {
  it.each([
    ["gpt2", "gpt2", "main"],
    ["Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", "main"],
    ["org/name@v1.0", "org/name", "v1.0"],
    ["org/name@refs/pr/12", "org/name", "refs/pr/12"],
    [
      "org/name@607a30d783dfa663caf39e06633721c8d4cfcd7e",
      "org/name",
      "607a30d783dfa663caf39e06633721c8d4cfcd7e",
    ],
    ["a_b/C.d-e", "a_b/C.d-e", "main"],
  ])("reads %s", (text, repo, revision) => {
    expect(parseHubModelId(text)).toEqual({ repo, revision });
    expect(formatHubModelId({ repo, revision })).toBe(text);
  });

  it.each([
    [""],
    ["a/b/c"],
    ["org/"],
    ["/name"],
    ["org/na me"],
    ["org/na--me"],
    ["or..g/name"],
    ["org/.name"],
    ["org/name-"],
    ["org/name.git"],
    [`org/${"n".repeat(97)}`],
    ["café/name"],
    ["org/name@"],
    ["org/name@../../etc"],
    ["org/name@a//b"],
    ["org/name@/main"],
    ["org/name@-f"],
    ["org/name@a b"],
    ["org/name@a\u0000"],
    ["org/name@x.lock"],
    ["org\\name"],
  ])("refuses %j", (text) => {
    expect(parseHubModelId(text)).toBeNull();
  });
});

describe("locateModelCache", () => {
  it("names a model's folder so that the name can be read back", () => {
    for (const repo of ["gpt2", "Qwen/Qwen3-0.6B"]) {
      const { folder } = locateModelCache("/cache", repo);
      expect(repoOfFolder(folder.replace(/^.*[/\\]/, ""))).toBe(repo);
    }
  });

  it.each([["datasets--org--name"], [".locks"], ["CACHEDIR.TAG"], ["models--"], ["version.txt"]])(
    "takes %s for no model",
    (name) => {
      expect(repoOfFolder(name)).toBeNull();
    },
  );
});
