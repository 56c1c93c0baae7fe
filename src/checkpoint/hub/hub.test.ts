import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { locateHubCache, readHubSettings, readHubToken } from "./hub.ts";

describe("the cache's place", () => {
  it.each([
    [{ HF_HUB_CACHE: "/a", HUGGINGFACE_HUB_CACHE: "/b", HF_HOME: "/c" }, "/a", "HF_HUB_CACHE"],
    [{ HUGGINGFACE_HUB_CACHE: "/b", HF_HOME: "/c" }, "/b", "HUGGINGFACE_HUB_CACHE"],
    [{ HF_HOME: "/c", XDG_CACHE_HOME: "/d" }, "/c/hub", "HF_HOME"],
    [{ XDG_CACHE_HOME: "/d" }, "/d/huggingface/hub", "XDG_CACHE_HOME"],
    [{}, join(homedir(), ".cache/huggingface/hub"), "default"],
    [{ HF_HUB_CACHE: "", HF_HOME: "" }, join(homedir(), ".cache/huggingface/hub"), "default"],
    [{ HF_HOME: "~/hf" }, join(homedir(), "hf/hub"), "HF_HOME"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's spelling, not JavaScript's
    [{ HF_HOME: "$DISK/${WHO}/$NOT_SET", DISK: "/mnt", WHO: "me" }, "/mnt/me/$NOT_SET/hub", "HF_HOME"],
    [{ HF_HUB_CACHE: "~other/x" }, "~other/x", "HF_HUB_CACHE"],
  ])("with %j is %s", (env, path, reason) => {
    expect(locateHubCache(env)).toEqual({ path, reason });
  });
});

describe("the other variables", () => {
  it("have Python's defaults", () => {
    expect(readHubSettings({})).toMatchObject({
      endpoint: "https://huggingface.co",
      offline: false,
      symlinks: true,
    });
  });

  it.each(["1", "on", "Yes", "TRUE"])("take %s for yes", (yes) => {
    expect(readHubSettings({ HF_HUB_OFFLINE: yes }).offline).toBe(true);
    expect(readHubSettings({ TRANSFORMERS_OFFLINE: yes }).offline).toBe(true);
    expect(readHubSettings({ HF_HUB_DISABLE_SYMLINKS: yes }).symlinks).toBe(false);
  });

  it("take other words for no, and HF_HUB_OFFLINE before TRANSFORMERS_OFFLINE", () => {
    expect(readHubSettings({ HF_HUB_OFFLINE: "0", TRANSFORMERS_OFFLINE: "1" }).offline).toBe(false);
    expect(readHubSettings({ HF_HUB_OFFLINE: "off" }).offline).toBe(false);
  });

  it("name a hub without the slash at its end, and refuse what is no address", () => {
    expect(readHubSettings({ HF_ENDPOINT: "https://mirror.example/hf//" }).endpoint).toBe(
      "https://mirror.example/hf",
    );
    for (const wrong of ["mirror.example", "ftp://mirror.example", "file:///etc"]) {
      expect(() => readHubSettings({ HF_ENDPOINT: wrong })).toThrow(`HF_ENDPOINT is "${wrong}"`);
    }
  });

  it("keep a login out of the address, and out of an error about one", () => {
    expect(readHubSettings({ HF_ENDPOINT: "https://me:p%40ss@mirror.example/hf/" })).toMatchObject({
      endpoint: "https://mirror.example/hf",
      login: Buffer.from("me:p@ss").toString("base64"),
    });
    expect(readHubSettings({ HF_ENDPOINT: "https://100%@mirror.example" }).login).toBe(
      Buffer.from("100%:").toString("base64"),
    );
    for (const wrong of ["ftp://me:s3cret@mirror.example", "me:s3cret@mirror.example"]) {
      const read = () => readHubSettings({ HF_ENDPOINT: wrong });
      expect(read).toThrow(/\[redacted\]@mirror\.example/);
      expect(read).not.toThrow(/s3cret/);
    }
  });
});

describe("the token", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "sep-token-"));
    await writeFile(join(home, "token"), "hf_file\r\n");
    await writeFile(join(home, "other"), " hf_other ");
    await writeFile(join(home, "empty"), "\n");
  });
  afterAll(() => rm(home, { recursive: true }));

  it.each([
    [{ HF_TOKEN: "hf_a\n", HUGGING_FACE_HUB_TOKEN: "hf_b" }, "hf_a"],
    [{ HUGGING_FACE_HUB_TOKEN: "hf_b" }, "hf_b"],
    [{}, "hf_file"],
    [{ HF_TOKEN_PATH: "$HF_HOME/other" }, "hf_other"],
    [{ HF_TOKEN_PATH: "$HF_HOME/empty" }, null],
    [{ HF_TOKEN_PATH: "$HF_HOME/nowhere" }, null],
    [{ HF_TOKEN: "hf_a", HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }, null],
  ])("with %j is %s", async (env, token) => {
    expect(await readHubToken({ HF_HOME: home, ...env })).toBe(token);
  });
});
