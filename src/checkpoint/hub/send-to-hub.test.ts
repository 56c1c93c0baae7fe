import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Fault, SeenRequest } from "../../../test/fakes/fake-hub.ts";
import { createGoldenModel, createHubStage } from "../../../test/fakes/hub-stage.ts";
import { drain } from "../../net/map-concurrently.ts";
import { pullRepository } from "./pull-repository.ts";
import { openStallGuard, sendToHub } from "./send-to-hub.ts";

const ID = { repo: "tiny/qwen3-tied", revision: "main" };

/** A stage where the first requests of a kind go wrong. */
async function createFaultyStage(isHit: (request: SeenRequest) => boolean, faults: readonly Fault[]) {
  const left = [...faults];
  return createHubStage([createGoldenModel("qwen3-tied")], {
    fault: (request) => (isHit(request) ? (left.shift() ?? null) : null),
  });
}

const isApi = ({ path }: SeenRequest): boolean => path.startsWith("/api/models/");
const isHead = ({ method }: SeenRequest): boolean => method === "HEAD";
const isStorage = ({ server }: SeenRequest): boolean => server === "cdn";

describe.each([
  ["the model", isApi],
  ["a file", isHead],
  ["a content", isStorage],
])("asking for %s", (_name, isHit) => {
  it.each([[429], [500], [502], [503], [504]])("tries again after %i", async (status) => {
    await using stage = await createFaultyStage(isHit, [{ status }, { status }]);
    const { commit } = await drain(pullRepository(stage.hub, ID));
    expect(commit).toMatch(/^[0-9a-f]{40}$/);
    expect(stage.waitsMs.toSorted()).toEqual([1000, isHit === isHead ? 1000 : 2000]);
  });

  it("tries again after a lost connection", async () => {
    await using stage = await createFaultyStage(isHit, [{ dropAfter: 0 }]);
    await drain(pullRepository(stage.hub, ID));
    expect(stage.fake.requests.filter(isHit).length).toBeGreaterThan(1);
  });

  it("gives up after five tries", async () => {
    await using stage = await createFaultyStage(isHit, Array(100).fill({ status: 503 }));
    await expect(drain(pullRepository(stage.hub, ID))).rejects.toMatchObject({
      code: "hub-unreachable",
      message: expect.stringMatching(/^http:\/\/127.* cannot be used: it answered 503\. Check the network/),
    });
    expect(stage.waitsMs.slice(-1)).toEqual([8000]);
  });
});

describe("being asked to wait", () => {
  it.each<[string, Record<string, string>, number]>([
    ["Retry-After in seconds", { "retry-after": "7" }, 7000],
    [
      "Retry-After as a date",
      { date: "Wed, 21 Oct 2026 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT" },
      30_000,
    ],
    [
      "RateLimit",
      { ratelimit: '"api";r=0;t=55', "ratelimit-policy": '"fixed window";"api";q=500;w=300' },
      55_000,
    ],
    ["RateLimit that is not used up", { ratelimit: '"api";r=12;t=55' }, 1000],
  ])("%s is kept to, and shown", async (_name, headers, waitMs) => {
    await using stage = await createFaultyStage(isApi, [{ status: 429, headers }]);
    const first = await pullRepository(stage.hub, ID).next();
    expect(first.value).toMatchObject({
      kind: "note",
      message: expect.stringContaining(`answered 429; trying again in ${waitMs / 1000} s`),
    });
    await using again = await createFaultyStage(isApi, [{ status: 429, headers }]);
    await drain(pullRepository(again.hub, ID));
    expect(again.waitsMs).toEqual([waitMs]);
  });

  it("for too long ends the work with the reason", async () => {
    await using stage = await createFaultyStage(isApi, [{ status: 429, headers: { "retry-after": "3600" } }]);
    await expect(drain(pullRepository(stage.hub, ID))).rejects.toMatchObject({
      code: "hub-unreachable",
      message: expect.stringContaining("answered 429 and asks to wait 3600 s"),
    });
    expect(stage.waitsMs).toEqual([]);
  });
});

describe("a content that is not wanted any more", () => {
  it("ends, also when all of it has come but its end", async () => {
    await using stage = await createHubStage([createGoldenModel("qwen3-tied")]);
    const stop = new AbortController();
    const answer = await drain(
      sendToHub(stage.hub, {
        method: "GET",
        url: `${stage.fake.endpoint}/tiny/qwen3-tied/resolve/main/model.safetensors`,
        subject: { ...ID, file: "model.safetensors" },
        follow: "content",
        signal: stop.signal,
      }),
    );
    const sizeBytes = Number(answer.headers.get("content-length"));
    let received = 0;
    const read = async (): Promise<void> => {
      for await (const chunk of answer.read()) {
        received += chunk.length;
        if (received === sizeBytes) stop.abort(new Error("not wanted"));
        else await new Promise((settle) => setImmediate(settle));
      }
    };
    await expect(read()).rejects.toThrow("not wanted");
    expect(received).toBe(sizeBytes);
  });
});

describe("a mirror that sends us to the hub", () => {
  it("is followed, and the token stays with the mirror", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const mirrored: [string, string | null][] = [];
    const mirror: typeof fetch = async (input, init) => {
      const url = new URL(String(input));
      if (url.origin !== "https://mirror.example") return fetch(input, init);
      mirrored.push([url.pathname, new Headers(init?.headers).get("authorization")]);
      const location = `${stage.fake.endpoint}${url.pathname}`;
      return new Response(null, { status: 302, headers: { location } });
    };
    const hub = await stage.openHub({ HF_ENDPOINT: "https://mirror.example", HF_TOKEN: "hf_granted" });
    const { commit } = await drain(pullRepository({ ...hub, fetch: mirror }, ID));
    expect(commit).toBe(model.refs.get("main"));
    expect(mirrored).toContainEqual(["/api/models/tiny/qwen3-tied/revision/main", "Bearer hf_granted"]);
    expect(stage.fake.requests.map(({ authorization }) => authorization).filter(Boolean)).toEqual([]);
  });
});

it("logs in at a mirror with the login of its address, and nowhere else", async () => {
  await using stage = await createHubStage([createGoldenModel("qwen3-tied")]);
  const seen: [string, string | null][] = [];
  const mirror: typeof fetch = async (input, init) => {
    const url = new URL(String(input));
    seen.push([url.host, new Headers(init?.headers).get("authorization")]);
    if (url.host !== "mirror.example") return fetch(input, init);
    return new Response(null, {
      status: 302,
      headers: { location: `${stage.fake.endpoint}${url.pathname}` },
    });
  };
  const hub = await stage.openHub({ HF_ENDPOINT: "https://me:pass@mirror.example", HF_TOKEN: "hf_granted" });
  await drain(pullRepository({ ...hub, fetch: mirror }, ID));
  const basic = `Basic ${Buffer.from("me:pass").toString("base64")}`;
  for (const [host, authorization] of seen)
    expect(authorization).toBe(host === "mirror.example" ? basic : null);
});

describe("what is no hub", () => {
  it("is named when nothing listens there", async () => {
    await using stage = await createHubStage([]);
    const hub = await stage.openHub({ HF_ENDPOINT: "http://127.0.0.1:1" });
    await expect(drain(pullRepository(hub, ID))).rejects.toMatchObject({
      code: "hub-unreachable",
      message: expect.stringMatching(/^http:\/\/127\.0\.0\.1:1 cannot be used: it gives no answer \(.+\)\./),
    });
  });

  it("is given up at once when its certificate is not trusted", async () => {
    await using stage = await createHubStage([]);
    const untrusted: typeof fetch = async () => {
      throw new TypeError("fetch failed", {
        cause: Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }),
      });
    };
    await expect(drain(pullRepository({ ...stage.hub, fetch: untrusted }, ID))).rejects.toMatchObject({
      code: "hub-unreachable",
      message: expect.stringContaining("DEPTH_ZERO_SELF_SIGNED_CERT"),
    });
    expect(stage.waitsMs).toEqual([]);
  });

  it.each([
    ["a page", () => new Response("<html>Log in to the guest network</html>")],
    ["no commit", () => Response.json({ siblings: [] })],
    ["nothing", () => Response.json(null)],
  ])("is seen when it answers with %s", async (_name, respond) => {
    await using stage = await createHubStage([]);
    const portal: typeof fetch = async () => respond();
    await expect(drain(pullRepository({ ...stage.hub, fetch: portal }, ID))).rejects.toMatchObject({
      code: "hub-unreachable",
      message: expect.stringContaining("does not answer like a Hugging Face hub"),
    });
  });

  it.each([
    ["has no ETag", { "content-length": "3" }],
    ["has an ETag that is a path", { "content-length": "3", etag: '"../../../evil"' }],
    ["has no size", { etag: '"abc"' }],
  ])("is seen when a file %s", async (_name, headers) => {
    await using stage = await createHubStage([createGoldenModel("qwen3-tied")]);
    const vague: typeof fetch = async (input, init) =>
      init?.method === "HEAD" ? new Response(null, { headers: { ...headers } }) : fetch(input, init);
    await expect(drain(pullRepository({ ...stage.hub, fetch: vague }, ID))).rejects.toMatchObject({
      code: "hub-unreachable",
      message: expect.stringContaining("does not answer like a Hugging Face hub"),
    });
  });

  it("is seen when it sends us round in circles", async () => {
    await using stage = await createHubStage([]);
    const circle: typeof fetch = async (input) =>
      new Response(null, { status: 302, headers: { location: String(input) } });
    await expect(drain(pullRepository({ ...stage.hub, fetch: circle }, ID))).rejects.toMatchObject({
      code: "hub-unreachable",
      message: expect.stringContaining("redirects more than 8 times"),
    });
  });

  it("cannot write on the terminal through its messages", async () => {
    await using stage = await createHubStage([]);
    const rude: typeof fetch = async () =>
      new Response(null, { status: 403, headers: { "x-error-message": `\u009b31m${"long ".repeat(100)}` } });
    const error = await drain(pullRepository({ ...stage.hub, fetch: rude }, ID)).catch(
      (thrown: Error) => thrown,
    );
    expect((error as Error).message).toMatch(/refuses access to tiny\/qwen3-tied \(31mlong .*…\)/);
    expect((error as Error).message).not.toContain("\u009b");
  });
});

describe("the guard against stalled requests", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("ends a request on which nothing comes in any more", () => {
    const guard = openStallGuard(undefined);
    for (let i = 0; i < 10; i++) {
      vi.advanceTimersByTime(29_000);
      guard.touch();
    }
    expect(guard.signal.aborted).toBe(false);
    vi.advanceTimersByTime(29_999);
    expect(guard.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(guard.signal.reason).toEqual(new Error("no data for 30 s"));
  });

  it("passes an abort on, and does nothing once it is closed", () => {
    const abort = new AbortController();
    const guard = openStallGuard(abort.signal);
    guard.close();
    vi.advanceTimersByTime(60_000);
    expect(guard.signal.aborted).toBe(false);
    abort.abort(new Error("enough"));
    expect(guard.signal.reason).toEqual(new Error("enough"));
  });
});
