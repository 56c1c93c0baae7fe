import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NotebookStage, notebookText, stageNotebook } from "./stage-notebook.ts";

const SOURCES = [
  "# Title",
  'const k = view(ui.slider({ min: 1, max: 10, value: 3, label: "K" }));',
  "const double = k * 2;\ndouble",
  "const other = 1;",
];

/** A tool's answer, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: the assertions say what is in it
type ToolValue = Record<string, any>;

/** One raw request: `fetch` sets Host, Origin and others by itself. */
function send(
  port: number,
  {
    method = "GET",
    path = "/",
    headers = {},
    body,
  }: { method?: string; path?: string; headers?: Record<string, string>; body?: string },
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", method, path, headers }, (response) => {
      const finish = (text: string): void =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      if (response.headers["content-type"] === "text/event-stream") {
        response.once("data", (data) => {
          finish(String(data));
          sent.destroy();
        });
        return;
      }
      let text = "";
      response.on("data", (data) => {
        text += data;
      });
      response.on("end", () => finish(text));
    });
    sent.on("error", reject);
    // a GET has no body
    sent.end(method === "POST" ? body : undefined);
  });
}

describe("the server", () => {
  let stage: NotebookStage;
  let session: Awaited<ReturnType<NotebookStage["open"]>>;
  let port: number;
  beforeAll(async () => {
    stage = await stageNotebook(notebookText(SOURCES));
    session = await stage.open();
    ({ port } = await stage.serve(session));
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  const json = { "content-type": "application/json" };

  it("has the gate before every kind of route, the stream and the agent's included", async () => {
    for (const path of ["/", "/page.js", "/events", "/api/run", "/mcp", "/nothing"]) {
      const method = path === "/mcp" || path.startsWith("/api") ? "POST" : "GET";
      const headers = method === "POST" ? json : {};
      expect(
        (await send(port, { method, path, headers: { ...headers, host: "rebind.example" }, body: "{}" }))
          .status,
        path,
      ).toBe(421);
      expect(
        (
          await send(port, {
            method,
            path,
            headers: { ...headers, origin: "http://localhost:3000" },
            body: "{}",
          })
        ).status,
        path,
      ).toBe(403);
      expect(
        (
          await send(port, {
            method,
            path,
            headers: { ...headers, "sec-fetch-site": "cross-site" },
            body: "{}",
          })
        ).status,
        path,
      ).toBe(403);
    }
    expect(
      (
        await send(port, {
          method: "POST",
          path: "/api/run",
          headers: { "content-type": "text/plain" },
          body: '{"ids":"all"}',
        })
      ).status,
    ).toBe(415);
    expect(session.stateOf(3).status).toBe("idle");
  });

  it("wants the token on every kind of route", async () => {
    const closed = await stage.serve(session, { hasToken: true });
    for (const path of ["/", "/page.js", "/events", "/mcp"]) {
      const method = path === "/mcp" ? "POST" : "GET";
      expect(
        (await send(closed.port, { method, path, headers: method === "POST" ? json : {}, body: "{}" }))
          .status,
        path,
      ).toBe(401);
    }
    const entered = await send(closed.port, { path: `/?access_token=${closed.token}` });
    expect([entered.status, entered.text]).toEqual([200, expect.stringContaining('content="0;url=/"')]);
    expect(entered.text).not.toContain(closed.token);
    const [cookie = ""] = String(entered.headers["set-cookie"]).split(";");
    expect((await send(closed.port, { path: "/events", headers: { cookie } })).text).toContain("snapshot");
    expect(
      (await send(closed.port, { path: "/", headers: { authorization: `Bearer ${closed.token}` } })).status,
    ).toBe(200);
    expect(closed.token).toHaveLength(32);
  });

  it.each([
    "/../package.json",
    "/..%2fpackage.json",
    "/page.js/../../package.json",
    "/%2e%2e/stage.html",
    "//etc/passwd",
    "/page.css%00.html",
  ])("has no file at %s", async (path) => expect((await send(port, { path })).status).toBe(404));

  it("refuses a body that grows too large without a length", async () => {
    const chunk = "x".repeat(1 << 20);
    const answer = new Promise<number>((resolve, reject) => {
      const sent = request(
        {
          port,
          host: "127.0.0.1",
          method: "POST",
          path: "/api/run",
          headers: { ...json, "transfer-encoding": "chunked" },
        },
        (response) => {
          resolve(response.statusCode ?? 0);
          sent.destroy();
        },
      );
      sent.on("error", reject);
      for (let part = 0; part < 18; part += 1) sent.write(chunk);
      sent.end();
    });
    expect(await answer).toBe(413);
  });

  it("sets the headers that keep foreign code out", async () => {
    const { headers } = await send(port, {});
    expect(headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
    expect(headers["x-frame-options"]).toBe("DENY");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("says what is wrong with a body", async () => {
    const answer = await send(port, {
      method: "POST",
      path: "/api/run",
      headers: json,
      body: '{"ids":"some"}',
    });
    expect([answer.status, JSON.parse(answer.text).error]).toEqual([400, expect.stringContaining("ids")]);
    expect((await send(port, { method: "POST", path: "/api/run", headers: json, body: "{" })).status).toBe(
      400,
    );
  });

  it("gives readers of an app no code and no way to change it", async () => {
    const app = await stage.serve(session, { mode: "app", agent: null });
    const { text } = await send(app.port, { path: "/events" });
    expect(text).not.toContain("ui.slider");
    expect(
      (await send(app.port, { method: "POST", path: "/api/edit", headers: json, body: "{}" })).status,
    ).toBe(404);
    expect(
      (await send(app.port, { method: "POST", path: "/api/run", headers: json, body: '{"ids":"all"}' }))
        .status,
    ).toBe(404);
    expect((await send(app.port, { method: "POST", path: "/mcp", headers: json, body: "{}" })).status).toBe(
      404,
    );
  });
});

describe("an agent", () => {
  let stage: NotebookStage;
  let client: Client;
  let session: Awaited<ReturnType<NotebookStage["open"]>>;
  beforeAll(async () => {
    stage = await stageNotebook(notebookText(SOURCES));
    session = await stage.open();
    const server = await stage.serve(session, { hasToken: true });
    client = new Client({ name: "test", version: "1.0.0" });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${server.port}/mcp`), {
        requestInit: { headers: { authorization: `Bearer ${server.token}` } },
      }),
    );
  });
  afterAll(async () => {
    await client.close();
    await stage[Symbol.asyncDispose]();
  });

  async function call(name: string, args: Record<string, unknown> = {}): Promise<ToolValue> {
    const answer = await client.callTool({ name, arguments: args });
    const [first] = answer.content as { text: string }[];
    if (answer.isError) throw new Error(first?.text);
    return JSON.parse(first?.text ?? "null");
  }

  it("finds all tools", async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(
      [
        "add_cell",
        "delete_cell",
        "edit_cells",
        "get_errors",
        "get_graph",
        "get_outputs",
        "get_variable",
        "interrupt",
        "list_cells",
        "read_cell",
        "run_cells",
        "run_stale",
        "set_input",
      ].sort(),
    );
  });

  it("reads, runs, moves an input, and reads values", async () => {
    expect((await call("list_cells")).cells.map((cell: { status: string }) => cell.status)).toEqual([
      "done",
      "idle",
      "idle",
      "idle",
    ]);
    await call("run_stale");
    expect(await call("get_variable", { name: "double" })).toMatchObject({ type: "Number", text: "6" });
    const { cells } = await call("get_outputs", { ids: [2, 3] });
    expect(cells[0].outputs[0]).toMatchObject({ kind: "control", key: "2:0", value: 3 });
    expect(cells[1].outputs).toEqual([{ kind: "text", text: "6" }]);
    await call("set_input", { key: "2:0", value: 5 });
    expect(await call("get_variable", { name: "double" })).toMatchObject({ text: "10" });
    await expect(call("set_input", { key: "2:0", value: 99 })).rejects.toThrow(
      "expected a number from 1 to 10",
    );
    expect((await call("get_graph")).cells[2]).toMatchObject({ reads: ["k"], readsFrom: [2] });
  });

  it("edits in batches with revisions, all or nothing", async () => {
    const [, , cell, last] = (await call("list_cells")).cells;
    await expect(
      call("edit_cells", {
        edits: [
          { id: 4, source: "const other = 2;", revision: last.revision },
          { id: 3, source: "x", revision: "000000000000" },
        ],
      }),
    ).rejects.toThrow("stale-revision");
    expect(await readFile(stage.path, "utf8")).toBe(notebookText(SOURCES));
    await call("edit_cells", {
      edits: [{ id: 3, source: "const double = k * 20;", revision: cell.revision }],
    });
    expect(await call("get_variable", { name: "double" })).toMatchObject({ text: "100" });
    expect(await readFile(stage.path, "utf8")).toBe(
      notebookText(SOURCES).replace("const double = k * 2;\n    double", "const double = k * 20;"),
    );
  });

  it("adds, finds errors, deletes, and shows it live", async () => {
    const seen: string[] = [];
    const stop = session.listen((event) => seen.push(event.kind));
    const { changed } = await call("add_cell", {
      after: 3,
      source: 'const bad = 1;\nthrow new TypeError("no " + double);',
    });
    const [{ id, revision }] = changed;
    const { errors } = await call("get_errors");
    expect(errors).toEqual([expect.objectContaining({ id, message: "TypeError: no 100", line: 2 })]);
    await call("delete_cell", { id, revision });
    stop();
    expect(seen.filter((kind) => kind === "cells")).toHaveLength(2);
    expect((await call("list_cells")).cells).toHaveLength(4);
    await expect(call("read_cell", { id: 77 })).rejects.toThrow("There is no cell 77");
  });

  it("hears how cells ended whose kernel ended, and runs them again", async () => {
    const [{ id, revision }] = (
      await call("add_cell", { after: null, source: "process.exit(7);", run: false })
    ).changed;
    const { cells, isSettled } = await call("run_cells", { ids: "all" });
    expect(isSettled).toBe(true);
    expect(cells.find((cell: { id: number }) => cell.id === id)).toMatchObject({
      status: "error",
      error: "The kernel ended (exit code 7) while the cell ran.",
    });
    expect(cells.find((cell: { id: number }) => cell.id === 3)).toMatchObject({
      status: "interrupted",
      message: "The kernel ended (exit code 7) before the cell could run.",
    });
    expect((await call("get_errors")).errors).toEqual([expect.objectContaining({ id })]);
    await call("delete_cell", { id, revision });
    await call("run_stale");
    expect(await call("get_variable", { name: "double" })).toMatchObject({ text: "100" });
  });

  it("interrupts a loop that listens to nothing", async () => {
    const { changed } = await call("add_cell", { source: "for (;;) {}", run: false });
    void call("run_cells", { ids: [changed[0].id], waitMs: 0 });
    await expect.poll(() => session.kernel.status).toBe("busy");
    await call("interrupt");
    await expect.poll(() => session.kernel.status).toBe("ready");
    expect(session.kernel.message).toContain("did not react");
    await call("delete_cell", changed[0]);
    await call("run_stale");
    expect(await call("get_variable", { name: "double" })).toMatchObject({ text: "100" });
  });
});
