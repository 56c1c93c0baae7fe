import { describe, expect, it } from "vitest";
import { expectAllClose } from "../../../test/expect-all-close.ts";
import golden from "../../../test/golden/minilm.json" with { type: "json" };
import { loadTextEmbedder } from "../../checkpoint/encoders/load-text-embedder.ts";

/** The weights take 91 MB, so the test runs only where there are some; see `minilm.py` for how to get them. */
const FOLDER = process.env.SEP_MINILM;
/** float32 sums in another order than PyTorch's, on vectors of length 1. Measured: at most 3e-7. */
const TOLERANCE = 1e-5;

describe.skipIf(FOLDER === undefined)("all-MiniLM-L6-v2 (set SEP_MINILM)", () => {
  it("gives sentence-transformers' vectors", async () => {
    await using model = await loadTextEmbedder(FOLDER as string);
    const embedded = await model.embed(golden.texts);
    embedded.forEach(({ vector }, index) => {
      expectAllClose(
        vector.filter((_, i) => i % golden.stride === 0),
        golden.vectors[index]!,
        TOLERANCE,
      );
    });
    expect(embedded.map(({ truncated }) => truncated)).toEqual(golden.truncated);
  });

  it("in int8 gives the same directions within 12 degrees", async () => {
    await using exact = await loadTextEmbedder(FOLDER as string);
    await using rounded = await loadTextEmbedder(FOLDER as string, { dtype: "int8" });
    const [a, b] = [await exact.embed(golden.texts), await rounded.embed(golden.texts)];
    const cosines = a.map(({ vector }, i) => vector.reduce((sum, x, j) => sum + x * b[i]!.vector[j]!, 0));
    expect(Math.min(...cosines)).toBeGreaterThan(Math.cos((12 * Math.PI) / 180));
  });
});
