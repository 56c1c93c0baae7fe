import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadModel } from "../checkpoint/load-model.ts";
import { POCKET_FOLDER } from "../checkpoint/locate-checkpoint.ts";
import { memorySource } from "./graph/weights.ts";
import { openLogitLens } from "./logit-lens.ts";
import { ortNode } from "./runtime/ort-node.ts";

const read = (name: string): Promise<Uint8Array> => readFile(join(POCKET_FOLDER, name));

describe("openLogitLens", () => {
  it.each([true, false])(
    "says at the last layer what the model predicts, half-precision constants: %s",
    async (castsHalf) => {
      await using model = await loadModel("pocket", { threads: 1 });
      const files = {
        config: await read("config.json"),
        weights: [memorySource("model.safetensors", await read("model.safetensors"))],
      };
      await using lens = await openLogitLens({ ...ortNode, castsHalf }, files);
      const { tokenIds } = { tokenIds: model.tokenizer.encode("What is 4", { specialTokens: false }) };
      const { logits } = await model.prefill({ tokenIds });
      const { residuals } = await model.trace(tokenIds, { positions: [-1] });
      const rows = await lens.read(residuals, 3);
      expect(rows).toHaveLength(model.config.blockCount + 1);
      const ranked = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number));
      expect(rows.at(-1)?.map(({ tokenId }) => tokenId)).toEqual(ranked.slice(0, 3));
      const total = Math.log([...logits].reduce((sum, logit) => sum + Math.exp(logit), 0));
      // float32 products in another order
      for (const { tokenId, logprob } of rows.at(-1) ?? [])
        expect(Math.abs(logprob - ((logits[tokenId] as number) - total))).toBeLessThan(1e-4);
      // the embeddings have not seen the question yet
      expect(rows[0]?.map(({ tokenId }) => tokenId)).not.toEqual(ranked.slice(0, 3));
    },
  );
});
