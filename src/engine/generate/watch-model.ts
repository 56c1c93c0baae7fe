import { createLanguageModel, type LanguageModel } from "../language-model.ts";
import type { DecoderPass, DecoderPassResult, DecoderSession } from "../session/decoder-session.ts";
import { appendKv } from "../session/kv-block.ts";
import { extendRows } from "./extend-rows.ts";

/** A model whose residual stream is read in the passes that generate, at no pass of its own. */
export interface WatchedModel {
  /** Answers one prompt, one row at a time. */
  readonly model: LanguageModel;
  /**
   * The states at the tokens that something was predicted from: the prompt's last one, then each generated token but
   * the last. Each is [layers * D], the layers side by side as a probe reads them.
   */
  readonly states: readonly Float32Array[];
  /**
   * The state at one more token, by a pass of one token: the last generated one, which nothing was predicted from.
   * @returns [layers * D]
   */
  readNext(tokenId: number): Promise<Float32Array>;
}

/**
 * Watches a model while it answers one prompt.
 * @param layers residual layers, 0 .. L
 */
export function watchModel(model: LanguageModel, layers: readonly number[]): WatchedModel {
  const states: Float32Array[] = [];
  let last: { readonly pass: DecoderPass; readonly result: DecoderPassResult } | null = null;
  const session: DecoderSession = {
    config: model.config,
    async run(pass) {
      if (pass.rows !== 1) throw new RangeError(`Got ${pass.rows} rows, a watched model takes one.`);
      const result = await model.session.run({ ...pass, traceRows: pass.logitRows, layers });
      if (pass.logitRows.length > 0 && layers.length > 0) states.push(joinLayers(result.residuals));
      last = { pass, result };
      return { ...result, residuals: [] };
    },
    [Symbol.asyncDispose]: async () => undefined, // the model belongs to whoever loaded it
  };
  return {
    model: createLanguageModel({ ...model, session }),
    states,
    async readNext(tokenId) {
      if (last === null || last.result.kv === null) throw new RangeError("Nothing was generated yet.");
      const { pass, result } = last;
      const { residuals } = await extendRows(model.session, [[tokenId]], {
        prefix: pass.prefix,
        suffix: appendKv(model.config, pass.suffix, result.kv as NonNullable<typeof result.kv>),
        trace: [{ row: 0, offset: 0 }],
        layers,
        keepKv: false,
      });
      return residuals[0] as Float32Array;
    },
  };
}

/** @param residuals per layer [1, D] */
function joinLayers(residuals: readonly Float32Array[]): Float32Array {
  const width = residuals[0]?.length ?? 0;
  const joined = new Float32Array(residuals.length * width);
  for (const [l, residual] of residuals.entries()) joined.set(residual, l * width);
  return joined;
}
