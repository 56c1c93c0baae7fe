import { describe, expect, it } from "vitest";
import { resolveLayer } from "./resolve-layers.ts";

describe("resolveLayer", () => {
  it("knows numbers, negative numbers and TransformerLens' names", () => {
    expect(resolveLayer(0, 4)).toBe(0);
    expect(resolveLayer(4, 4)).toBe(4);
    expect(resolveLayer(-1, 4)).toBe(4);
    expect(resolveLayer("-5", 4)).toBe(0);
    expect(resolveLayer("hook_embed", 4)).toBe(0);
    expect(resolveLayer("blocks.0.hook_resid_pre", 4)).toBe(0);
    expect(resolveLayer("blocks.0.hook_resid_post", 4)).toBe(1);
    expect(resolveLayer("blocks.3.hook_resid_post", 4)).toBe(4);
  });

  it.each([5, -6, 1.5, "blocks.4.hook_resid_post", "blocks.1.hook_mlp_out", ""])("refuses %j", (name) => {
    expect(() => resolveLayer(name, 4)).toThrow(/residual layers 0 \(embeddings\) to 4/);
  });
});
