import type { CliContext } from "../../src/cli/command.ts";
import type { OutputStream } from "../../src/cli/terminal.ts";
import { createRedactor } from "../../src/text/redact.ts";

/** A world for the CLI whose clock moves by hand and whose output is kept. */
export interface FakeCli {
  readonly context: CliContext;
  /** Everything written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly advance: (durationMs: number) => void;
  readonly abort: () => void;
}

export interface FakeCliOptions {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly env?: Readonly<Record<string, string>>;
}

export function createFakeCli({
  isTTY = false,
  columns = 100,
  stdin = nothing(),
  env = {},
}: FakeCliOptions = {}): FakeCli {
  let nowMs = 0;
  const controller = new AbortController();
  const written = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr"): OutputStream => ({
    isTTY,
    columns,
    write(text) {
      written[name] += text;
    },
  });
  return {
    context: {
      stdout: stream("stdout"),
      stderr: stream("stderr"),
      data: stream("stdout"),
      redactor: createRedactor([]),
      stdin,
      env,
      signal: controller.signal,
      now: () => nowMs,
    },
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    advance(durationMs) {
      nowMs += durationMs;
    },
    abort: () => controller.abort(),
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  yield* [];
}
