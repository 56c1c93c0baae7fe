import type { DecoderConfig } from "../graph/decoder-config.ts";
import type { DecoderSession } from "../session/decoder-session.ts";

/**
 * A session that opens at its first pass: a model whose work is done on other threads never fills memory on this one.
 * @param open called once; a failure is the failure of every pass
 */
export function createLazySession(
  config: DecoderConfig,
  open: () => Promise<DecoderSession>,
): DecoderSession {
  let opened: Promise<DecoderSession> | null = null;
  return {
    config,
    async run(pass) {
      opened ??= open();
      return (await opened).run(pass);
    },
    async [Symbol.asyncDispose]() {
      // one that did not open has told the pass that opened it, and holds nothing
      const session = await opened?.catch(() => null);
      await session?.[Symbol.asyncDispose]();
    },
  };
}
