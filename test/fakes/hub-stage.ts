import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Hub, openHub } from "../../src/checkpoint/hub/hub.ts";
import { locateModelCache, type ModelCache } from "../../src/checkpoint/hub/hub-cache.ts";
import { type FakeHub, type FakeHubOptions, type SeenRequest, startFakeHub } from "./fake-hub.ts";
import { createFakeModel, type FakeModel, readContents } from "./fake-model.ts";

/** A fake hub, an empty cache, and a client between them that does not really wait. */
export interface HubStage extends AsyncDisposable {
  readonly fake: FakeHub;
  readonly cacheFolder: string;
  /** Environment with which a program uses this hub and this cache. */
  readonly env: Readonly<Record<string, string>>;
  /** How long the client would have waited, in order. */
  readonly waitsMs: readonly number[];
  readonly hub: Hub;
  readonly openHub: (env?: Readonly<Record<string, string>>) => Promise<Hub>;
  readonly cacheOf: (model: FakeModel) => ModelCache;
  /** Requests for a body that is a file's: "hub config.json", "cdn <sha256>". */
  readonly downloads: () => string[];
}

export async function createHubStage(
  models: readonly FakeModel[],
  options: FakeHubOptions = {},
): Promise<HubStage> {
  const cacheFolder = await mkdtemp(join(tmpdir(), "sep-hub-"));
  const fake = await startFakeHub(models, options);
  const env = { HF_ENDPOINT: fake.endpoint, HF_HUB_CACHE: cacheFolder, HF_HOME: join(cacheFolder, "home") };
  const waitsMs: number[] = [];
  const open = (more: Readonly<Record<string, string>> = {}): Promise<Hub> =>
    openHub({
      env: { ...env, ...more },
      async sleep(durationMs, signal) {
        signal?.throwIfAborted();
        waitsMs.push(durationMs);
        // a turn of the event loop, so that whoever is waited for gets on
        await new Promise((settle) => setTimeout(settle, 1));
      },
    });
  return {
    fake,
    cacheFolder,
    env,
    waitsMs,
    hub: await open(),
    openHub: open,
    cacheOf: ({ id }) => locateModelCache(cacheFolder, id),
    downloads: () => fake.requests.filter(isDownload).map(({ server, path }) => `${server} ${lastOf(path)}`),
    async [Symbol.asyncDispose]() {
      await fake[Symbol.asyncDispose]();
      await rm(cacheFolder, { recursive: true, force: true });
    },
  };
}

/** The hub's own answers to GET lead elsewhere; these two have the content. */
const isDownload = ({ server, method, path }: SeenRequest): boolean =>
  method === "GET" && (server === "cdn" || path.startsWith("/api/resolve-cache/"));

const lastOf = (path: string): string => path.split("/").at(-1) ?? "";

/** A model of the hub whose files never change, for comparing caches entry by entry; it cannot be loaded. */
export function createPlainModel(): FakeModel {
  return createFakeModel("tiny/plain", {
    "config.json": '{"model_type": "none"}\n',
    "tokenizer.json": "{}\n",
    "tokenizer_config.json": '{"model_max_length": 8}\n',
    "model.safetensors": Buffer.alloc(30_000, "not really weights "),
    "README.md": "# Plain\n",
  });
}

/** A model of the hub with a tiny checkpoint of test/golden, and files beside it that must not be downloaded. */
export function createGoldenModel(checkpoint: string, access: FakeModel["access"] = "public"): FakeModel {
  const folder = new URL(`../golden/checkpoints/${checkpoint}/`, import.meta.url);
  return createFakeModel(
    `tiny/${checkpoint}`,
    {
      ...readContents(folder),
      "README.md": "---\nlicense: apache-2.0\n---\n# Tiny\n",
      ".gitattributes": "*.safetensors filter=lfs\n",
      "pytorch_model.bin": "not wanted",
      "onnx/model.onnx": "not wanted",
      "chat_template.jinja": "{{ messages[0].content }}",
    },
    access,
  );
}
