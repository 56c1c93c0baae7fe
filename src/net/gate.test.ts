import { describe, expect, it } from "vitest";
import { type Admission, admitRequest, allowedHosts, checkExposure, type GatePolicy } from "./gate.ts";

const HOST = "localhost:4802";
const TOKEN = "x".repeat(32);
const MAX_BODY_BYTES = 1000;
const OPEN: GatePolicy = {
  hosts: allowedHosts("127.0.0.1", 4802),
  scheme: "http",
  origins: [],
  maxBodyBytes: MAX_BODY_BYTES,
  token: null,
  openPaths: [],
  cookieName: "sep_4802",
};
const CLOSED: GatePolicy = { ...OPEN, token: TOKEN };
const json = { "content-type": "application/json" };

const ask = (
  policy: GatePolicy,
  method: string,
  url: string,
  headers: Record<string, string | string[]> = {},
): Admission => admitRequest({ method, url, headers: { host: HOST, ...headers } }, policy);
const statusOf = (admission: Admission): number => (admission.kind === "refused" ? admission.status : 200);

/** Every route of the server; the gate stands before all of them. */
const ROUTES: readonly (readonly [string, string])[] = [
  ["GET", "/"],
  ["GET", "/page.js"],
  ["GET", "/events"],
  ["POST", "/api/edit"],
  ["POST", "/api/run"],
  ["POST", "/api/control"],
  ["POST", "/api/draft"],
  ["POST", "/api/interrupt"],
  ["POST", "/api/restart"],
  ["POST", "/mcp"],
  ["GET", "/no-such-route"],
];

describe.each(ROUTES)("%s %s", (method, url) => {
  const own = method === "POST" ? json : {};

  it.each<[string, Record<string, string | string[]>, number]>([
    ["no host", { host: [] }, 421],
    ["another host", { host: "example.org:4802" }, 421],
    ["a name that an attacker points here", { host: "rebind.attacker.example:4802" }, 421],
    ["a name that begins like ours", { host: "localhost.attacker.example:4802" }, 421],
    ["an address that is not ours", { host: "192.168.0.7:4802" }, 421],
    ["another port in the host", { host: "localhost:4803" }, 421],
    ["two hosts", { host: [HOST, HOST] }, 421],
    ["a foreign origin", { origin: "https://example.org" }, 403],
    ["an origin of another local port", { origin: "http://localhost:3000" }, 403],
    ["the same name over https", { origin: `https://${HOST}` }, 403],
    ["another name of this machine as origin", { origin: "http://127.0.0.1:4802" }, 403],
    ["the origin of a sandbox or a file", { origin: "null" }, 403],
    ["an empty origin", { origin: "" }, 403],
    ["a cross-site request", { "sec-fetch-site": "cross-site" }, 403],
    ["a request of another port's page", { "sec-fetch-site": "same-site" }, 403],
  ])("refuses %s, with and without a token", (_name, headers, status) => {
    expect(statusOf(ask(OPEN, method, url, { ...own, ...headers }))).toBe(status);
    expect(statusOf(ask(CLOSED, method, url, { ...own, ...headers, authorization: `Bearer ${TOKEN}` }))).toBe(
      status,
    );
  });

  it.each<[string, Record<string, string>, number]>([
    ["no token", {}, 401],
    ["a wrong bearer", { authorization: `Bearer ${"y".repeat(32)}` }, 401],
    ["a bearer that is too short", { authorization: "Bearer x" }, 401],
    ["basic authentication", { authorization: `Basic ${TOKEN}` }, 401],
    ["a wrong cookie", { cookie: `sep_4802=${"y".repeat(32)}` }, 401],
    ["the cookie of another port", { cookie: `sep_4803=${TOKEN}` }, 401],
    ["the right bearer", { authorization: `Bearer ${TOKEN}` }, 200],
    ["the right cookie", { cookie: `theme=dark; sep_4802=${TOKEN}` }, 200],
  ])("with a token: %s", (_name, headers, status) => {
    expect(statusOf(ask(CLOSED, method, url, { ...own, ...headers }))).toBe(status);
  });

  it("lets its own page in, and programs without a browser", () => {
    expect(ask(OPEN, method, url, own).kind).toBe("admitted");
    expect(
      ask(OPEN, method, url, { ...own, origin: `http://${HOST}`, "sec-fetch-site": "same-origin" }).kind,
    ).toBe("admitted");
    expect(ask(OPEN, method, url, { ...own, host: "127.0.0.1:4802", "sec-fetch-site": "none" }).kind).toBe(
      "admitted",
    );
    expect(ask(OPEN, method, url, { ...own, host: "[::1]:4802" }).kind).toBe("admitted");
  });

  it.each(["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", ""])("refuses the method %s", (other) => {
    expect(statusOf(ask(OPEN, other, url, json))).toBe(405);
  });
});

describe("a POST", () => {
  it.each([
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["multipart/form-data; boundary=x", 415],
    ["text/plain; application/json", 415],
    ["", 415],
    ["application/json", 200],
    ["application/json; charset=utf-8", 200],
  ])("with the type %s", (type, status) => {
    expect(statusOf(ask(OPEN, "POST", "/api/run", { "content-type": type }))).toBe(status);
  });

  it.each([
    [String(MAX_BODY_BYTES), 200],
    [String(MAX_BODY_BYTES + 1), 413],
    ["1e99", 413],
    ["nonsense", 413],
  ])("of %s bytes", (length, status) => {
    expect(statusOf(ask(OPEN, "POST", "/api/run", { ...json, "content-length": length }))).toBe(status);
  });

  it("without a type is refused", () => {
    expect(statusOf(ask(OPEN, "POST", "/api/run"))).toBe(415);
  });
});

describe("the token in an address", () => {
  it("becomes a cookie that scripts cannot read, and leaves the address", () => {
    expect(ask(CLOSED, "GET", `/?access_token=${TOKEN}`)).toEqual({
      kind: "entered",
      cookie: `sep_4802=${TOKEN}; HttpOnly; SameSite=Strict; Path=/`,
    });
  });

  it("may come from a file or another site, in a window of its own, and only when it is right", () => {
    const from = (token: string, destination: string): number =>
      statusOf(
        ask(CLOSED, "GET", `/?access_token=${token}`, {
          "sec-fetch-site": "cross-site",
          "sec-fetch-dest": destination,
        }),
      );
    expect(from(TOKEN, "document")).toBe(200);
    expect(from("wrong", "document")).toBe(403);
    for (const destination of ["iframe", "image", "empty", "script"])
      expect(from(TOKEN, destination), destination).toBe(403);
    expect(
      statusOf(
        ask(OPEN, "GET", "/?access_token=", { "sec-fetch-site": "cross-site", "sec-fetch-dest": "document" }),
      ),
    ).toBe(403);
  });

  it.each([
    ["GET", `/events?access_token=${TOKEN}`],
    ["POST", `/api/run?access_token=${TOKEN}`],
    ["POST", `/mcp?access_token=${TOKEN}`],
    ["GET", "/?access_token=wrong"],
    ["GET", "/?access_token="],
  ])("opens nothing else: %s %s", (method, url) => {
    expect(statusOf(ask(CLOSED, method, url, method === "POST" ? json : {}))).toBe(401);
  });
});

describe("checkExposure", () => {
  it.each([
    ["0.0.0.0", false, false],
    ["::", false, false],
    ["192.168.0.7", false, false],
  ])("refuses %s without a token", (host, hasToken, letsAnyoneIn) => {
    expect(() => checkExposure(host, { hasToken, letsAnyoneIn, danger: "Beware." })).toThrow("Beware.");
  });

  it.each([
    ["0.0.0.0", true, false],
    ["0.0.0.0", false, true],
    ["127.0.0.1", false, false],
    ["localhost", false, false],
    ["::1", false, false],
  ])("allows %s, token %s, said so %s", (host, hasToken, letsAnyoneIn) => {
    expect(() => checkExposure(host, { hasToken, letsAnyoneIn, danger: "Beware." })).not.toThrow();
  });
});

it("lets anybody GET an open path, and nothing else of it", () => {
  const policy = { ...CLOSED, openPaths: ["/health"] };
  expect(statusOf(ask(policy, "GET", "/health"))).toBe(200);
  for (const url of ["/health/", "/health?a=1", "/HEALTH", "/health/../v1/models", "/v1/models"])
    expect(statusOf(ask(policy, "GET", url)), url).toBe(401);
  expect(statusOf(ask(policy, "POST", "/health", json))).toBe(401);
  expect(statusOf(ask(policy, "GET", "/health", { host: "example.org" }))).toBe(421);
  expect(statusOf(ask(policy, "GET", "/health", { origin: "https://example.org" }))).toBe(403);
});
