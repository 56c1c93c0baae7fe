import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type GateOptions, listenBehindGate } from "./listen.ts";

const KEY = "k".repeat(40);
const PAGE = "https://app.example.org";

const open = (changes: Partial<GateOptions> = {}) =>
  listenBehindGate(async (asked) => Response.json({ length: (await asked.text()).length }), {
    token: null,
    maxBodyBytes: 100,
    title: "Page",
    ...changes,
  });

const json = { "content-type": "application/json" };
const post = (port: number, headers: Record<string, string> = {}, body = "{}"): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/v1`, { method: "POST", headers: { ...json, ...headers }, body });

describe("a server behind the gate", () => {
  it.each<[string, Record<string, string>, number]>([
    ["no key", {}, 401],
    ["another key", { authorization: `Bearer ${KEY}x` }, 401],
    ["the key of another scheme", { authorization: `Basic ${KEY}` }, 401],
    ["the key", { authorization: `Bearer ${KEY}` }, 200],
    ["the key as LiteLLM sends it", { "x-api-key": KEY }, 200],
    ["a wrong key as LiteLLM sends it", { "x-api-key": "k" }, 401],
  ])("with a key, answers a request with %s by its status", async (_what, headers, status) => {
    await using server = await open({ token: KEY });
    const response = await post(server.port, headers);
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain(KEY);
  });

  it("lets pages of allowed origins in, and tells their browsers so; of no other", async () => {
    await using server = await open({ origins: [PAGE] });
    const preflight = await fetch(`http://127.0.0.1:${server.port}/v1`, {
      method: "OPTIONS",
      headers: { origin: PAGE, "access-control-request-method": "POST" },
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, PAGE]);
    const allowed = await post(server.port, { origin: PAGE, "sec-fetch-site": "cross-site" });
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([200, PAGE]);
    for (const origin of ["https://evil.example", `${PAGE}.evil.example`, "null"]) {
      const refused = await post(server.port, { origin });
      expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    }
    await using closed = await open();
    expect((await post(closed.port, { origin: PAGE })).status).toBe(403);
  });

  it("describes its refusals as its API does, and refuses large bodies by their stated length", async () => {
    await using server = await open({ describeRefusal: (status, message) => ({ status, message }) });
    const refused = await post(server.port, {}, "x".repeat(101));
    expect(await refused.json()).toEqual({ status: 413, message: "The body is larger than 100 bytes." });
    expect((await post(server.port, { "content-type": "text/plain" })).status).toBe(415);
  });

  it("speaks https with a certificate, and refuses one that does not fit", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sep-tls-"));
    try {
      const [keyPath, certPath] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      execFileSync(
        "openssl",
        [
          "req",
          "-x509",
          "-newkey",
          "ec",
          "-pkeyopt",
          "ec_paramgen_curve:prime256v1",
          "-nodes",
          "-days",
          "1",
        ].concat(["-subj", "/CN=localhost", "-keyout", keyPath, "-out", certPath]),
        { stdio: "ignore" },
      );
      const [key, cert] = [await readFile(keyPath, "utf8"), await readFile(certPath, "utf8")];
      await using server = await open({ tls: { key, cert } });
      expect(server.address).toMatch(/^https:/);
      const status = await new Promise((resolve, reject) => {
        const options = {
          port: server.port,
          method: "POST",
          headers: json,
          ca: cert,
          servername: "localhost",
        };
        request({ host: "localhost", ...options }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on("error", reject)
          .end("{}");
      });
      expect(status).toBe(200);
      await expect(open({ tls: { key: "x", cert } })).rejects.toMatchObject({ code: "bad-option" });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
