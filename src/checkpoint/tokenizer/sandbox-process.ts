import { readSync, writeSync } from "node:fs";
import { Script } from "node:vm";
import { packError } from "../../engine/runtime/worker-threads-node.ts";
import type { SandboxReply } from "./sandbox.ts";
import { createTokenizerServer, type TokenizerRequest } from "./sandboxed-tokenizer.ts";

// The entry point of the process that a tokenizer and a chat template from elsewhere run in. Frames come in on standard
// input and replies go out on standard output, each a length and its bytes; when the input ends, so does the process.

const LENGTH_BYTES = 4;
const answer = createTokenizerServer();
let turn = (): void => undefined;
Object.assign(globalThis, { sepSandboxTurn: () => turn() });
const takeTurn = new Script("sepSandboxTurn()");

for (;;) {
  const request = JSON.parse(readFrame().toString("utf8")) as TokenizerRequest;
  const attached = request.method === "open" ? readFrame() : null;
  let reply: SandboxReply = { cpuMs: 0 };
  const before = process.cpuUsage();
  turn = () => {
    try {
      reply = { result: answer(request, attached), cpuMs: 0 };
    } catch (error) {
      reply = { error: packError(error), cpuMs: 0 };
    }
  };
  for (let waitMs = 2 * request.limitMs; !finishTurn(waitMs, before, request.limitMs); ) waitMs *= 2;
  writeFrame(Buffer.from(JSON.stringify({ ...reply, cpuMs: cpuMsSince(before) } satisfies SandboxReply)));
}

/**
 * Whoever asked kills this process in time. If that one was killed itself, nobody would, and a pattern that never ends
 * would run on: the error of the time limit here is not caught, and ends the process. A process that had less CPU time than it
 * may begins the turn again: the machine was busy, or stopped it meanwhile, as a container that is paused.
 */
function finishTurn(waitMs: number, before: NodeJS.CpuUsage, limitMs: number): boolean {
  try {
    takeTurn.runInThisContext({ timeout: waitMs });
    return true;
  } catch (error) {
    if (cpuMsSince(before) >= limitMs) throw error;
    return false;
  }
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function readFrame(): Buffer {
  return readBytes(readBytes(LENGTH_BYTES).readUInt32LE());
}

function readBytes(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let done = 0; done < size; ) {
    const count = readSync(0, bytes, done, size - done, null);
    if (count === 0) process.exit(); // nobody is there any more
    done += count;
  }
  return bytes;
}

function writeFrame(content: Buffer): void {
  const frame = Buffer.alloc(LENGTH_BYTES + content.length);
  frame.writeUInt32LE(content.length);
  content.copy(frame, LENGTH_BYTES);
  for (let done = 0; done < frame.length; ) done += writeSync(1, frame, done);
}
