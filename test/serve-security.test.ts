import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../src/checkpoint/load-model.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { createServer, liveModelOf } from "../src/serve.ts";
import { servedProbes, stageServer } from "./fakes/serve-stage.ts";

const KEY = "k".repeat(40);
const BODY_BYTES = 1000;

let pocket: LanguageModel;
let stage: Awaited<ReturnType<typeof stageServer>>;
let routes: { readonly method: string; readonly path: string }[];
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
  const options = { live: liveModelOf(pocket), probes: servedProbes(pocket) };
  const gate = { token: KEY, openPaths: ["/health"], maxBodyBytes: BODY_BYTES };
  stage = await stageServer(pocket, options, gate);
  await using server = createServer(options);
  const listed = server.app.routes.filter(({ method }) => method !== "ALL");
  routes = [...new Map(listed.map(({ method, path }) => [`${method} ${path}`, { method, path }])).values()];
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await pocket[Symbol.asyncDispose]();
});

/** @returns status and body */
function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  body = "",
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port: stage.port, method, path, headers, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          text += piece;
        });
        response.on("end", () => resolve({ status: response.statusCode, text }));
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

const bearer = { authorization: `Bearer ${KEY}` };

describe("every route of the server", () => {
  it.each<[string, Record<string, string>, number]>([
    ["without a key", {}, 401],
    ["with another key", { authorization: `Bearer ${"x".repeat(40)}` }, 401],
    ["under another host's name", { ...bearer, host: "rebind.attacker.example" }, 421],
    ["from a page of another origin", { ...bearer, origin: "https://evil.example" }, 403],
    ["from another site", { ...bearer, "sec-fetch-site": "cross-site" }, 403],
  ])("refuses a request %s", async (_what, headers, status) => {
    expect(routes.length).toBeGreaterThan(9);
    for (const { method, path } of routes) {
      // of all routes, only the health check answers without a key
      const isOpen = status === 401 && path === "/health";
      const type = method === "POST" ? { "content-type": "application/json" } : {};
      const answer = await send(method, path, { ...type, ...headers }, method === "POST" ? "{}" : "");
      expect([path, answer.status]).toEqual([path, isOpen ? 200 : status]);
      expect(answer.text).not.toContain(KEY);
    }
  });

  it("refuses bodies that are too large, of another type, or no JSON, where it takes one", async () => {
    const posts = routes.filter(({ method }) => method === "POST");
    expect(posts.length).toBeGreaterThan(4);
    const json = { ...bearer, "content-type": "application/json" };
    for (const { path } of posts) {
      const large = await send("POST", path, json, JSON.stringify("x".repeat(BODY_BYTES)));
      const form = await send("POST", path, { ...bearer, "content-type": "text/plain" }, "{}");
      const broken = await send("POST", path, json, '{"messages": [');
      const odd = await send("POST", path, json, '["no", "object"]');
      expect([path, large.status, form.status, broken.status, odd.status]).toEqual([
        path,
        413,
        415,
        400,
        400,
      ]);
      expect(JSON.parse(odd.text)).toMatchObject({ error: { type: "invalid_request_error" } });
    }
  });

  it("refuses other methods", async () => {
    for (const { path } of routes)
      for (const method of ["PUT", "DELETE", "PATCH", "HEAD"])
        expect([path, (await send(method, path, bearer)).status]).toEqual([path, 405]);
  });
});
