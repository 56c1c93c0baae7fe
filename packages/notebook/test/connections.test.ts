import { type ClientRequest, request } from "node:http";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NotebookStage, notebookText, stageNotebook } from "./stage-notebook.ts";

describe("the notebook's server, held up", () => {
  let stage: NotebookStage;
  let session: Awaited<ReturnType<NotebookStage["open"]>>;
  beforeAll(async () => {
    stage = await stageNotebook(notebookText(["1"]));
    session = await stage.open();
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  it("keeps answering while hundreds of connections say nothing, or little", { tags: ["long"] }, async () => {
    const closed = await stage.serve(session, { hasToken: true });
    const bearer = { authorization: `Bearer ${closed.token}` };
    const sockets: Socket[] = [];
    let gone = 0;
    const hold = (head: string): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(closed.port, "127.0.0.1", () => {
          socket.write(head);
          resolve();
        });
        socket.on("close", () => {
          gone += 1;
        });
        // closed by the server, which is what is wanted
        socket.on("error", () => resolve());
        socket.resume();
        sockets.push(socket);
      });
    const drip = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write("x");
    }, 100);
    try {
      for (let round = 0; round < 10; round += 1) {
        await Promise.all(
          Array.from({ length: 60 }, (_, at) =>
            hold(
              [
                "",
                "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
                "POST /api/run HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{",
              ][at % 3] as string,
            ),
          ),
        );
        const startMs = performance.now();
        expect((await fetch(new URL("/", closed.address), { headers: bearer })).status).toBe(200);
        const events = await fetch(new URL("/events", closed.address), { headers: bearer });
        const reader = (events.body as ReadableStream<Uint8Array>).getReader();
        expect(Buffer.from((await reader.read()).value ?? []).toString()).toContain("snapshot");
        await reader.cancel();
        expect(performance.now() - startMs).toBeLessThan(5_000);
      }
      expect(gone).toBeGreaterThan(500);
      // the last ones are given ten seconds
      await expect.poll(() => gone, { timeout: 30_000 }).toBe(600);
    } finally {
      clearInterval(drip);
      for (const socket of sockets) socket.destroy();
    }
  });

  it("holds as many event streams as pages make sense, and no more", async () => {
    const own = await stage.serve(session);
    const streams: ClientRequest[] = [];
    const open = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const sent = request(
          { port: own.port, host: "127.0.0.1", path: "/events", agent: false },
          (response) => {
            response.resume();
            resolve(response.statusCode ?? 0);
          },
        );
        sent.on("error", reject);
        sent.end();
        streams.push(sent);
      });
    const statuses = await Promise.all(Array.from({ length: 33 }, open));
    expect(statuses.filter((status) => status === 200)).toHaveLength(32);
    expect(statuses).toContain(503);
    for (const sent of streams) sent.on("error", () => undefined).destroy();
    await expect.poll(open).toBe(200);
    for (const sent of streams) sent.on("error", () => undefined).destroy();
  });
});
