import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sendOnce } from "./send-once.ts";

const PIECES = ["one ", "two ", "thr\u00E9e ", "four"];
const PAUSE_MS = 20;

let server: Server;
let url: string;
let written = 0;
let wasClosed: Promise<void>;
beforeAll(async () => {
  server = createServer((request, response) => {
    written = 0;
    wasClosed = new Promise((resolve) => response.once("close", () => resolve()));
    if (request.url === "/bad") {
      response.writeHead(400).end("no");
      return;
    }
    response.writeHead(200);
    const write = (): void => {
      if (response.destroyed || written === PIECES.length) return void response.end();
      const bytes = Buffer.from(PIECES[written++] as string);
      // a character may come in two pieces
      response.write(bytes.subarray(0, 4));
      setTimeout(() => {
        response.write(bytes.subarray(4));
        if (request.url === "/cut" && written === 2) response.destroy();
        else setTimeout(write, PAUSE_MS);
      }, PAUSE_MS);
    };
    write();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const send = (path: string, receive: (piece: string) => boolean) =>
  sendOnce(url + path, { method: "GET" }, { fetch, limitMs: 5_000, receive });

describe("a body that is received as it comes", () => {
  it("comes in whole characters, and is the answer's text", async () => {
    const pieces: string[] = [];
    const outcome = await send("/", (piece) => {
      pieces.push(piece);
      return false;
    });
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.join("")).toBe(PIECES.join(""));
    expect(outcome).toMatchObject({ kind: "answered", status: 200, text: PIECES.join("") });
  });

  it("is broken off when enough has come, and the server hears of it", async () => {
    let seen = "";
    const outcome = await send("/", (piece) => {
      seen += piece;
      return seen.includes("two");
    });
    expect(outcome).toMatchObject({ kind: "answered", text: seen });
    await wasClosed;
    expect(written).toBeLessThan(PIECES.length);
  });

  it("is lost where the connection breaks, and passes on what its receiver throws", async () => {
    expect(await send("/cut", () => false)).toMatchObject({ kind: "lost" });
    const refuse = (): never => {
      throw new RangeError("not this");
    };
    await expect(send("/", refuse)).rejects.toThrow(new RangeError("not this"));
    await wasClosed;
  });

  it("is not received if it is a refusal", async () => {
    const never = (): never => {
      throw new Error("received");
    };
    expect(await send("/bad", never)).toMatchObject({ kind: "answered", status: 400, text: "no" });
  });
});
