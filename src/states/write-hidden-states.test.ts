import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { stackStates } from "../engine/layer-states.ts";
import { fingerprintFile } from "../store/fingerprint.ts";
import { openHiddenStates } from "./hidden-states.ts";
import { createHiddenStates, type StateRows, type StatesDtype } from "./write-hidden-states.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-write-states-"));
});
afterEach(() => rm(folder, { recursive: true }));

const LAYERS = [0, 3];

/** @returns [2, D] whose numbers say which token, layer and column they are of; all can be held in float16 */
const stateOf = (token: number, hiddenSize: number): Float32Array =>
  Float32Array.from({ length: LAYERS.length * hiddenSize }, (_, i) => {
    const [layer, column] = [Math.floor(i / hiddenSize), i % hiddenSize];
    return (column % 2 === 0 ? 1 : -1) * (token * 16 + layer * 4 + (column % 3) + 1);
  });

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
const haveSameBits = (a: Float32Array, b: Float32Array): boolean => bytesOf(a).equals(bytesOf(b));

const statesOf = (tokens: readonly number[], hiddenSize: number) =>
  stackStates(
    tokens.map((token) => stateOf(token, hiddenSize)),
    LAYERS.length,
  );

describe.each<StatesDtype>(["float32", "float16"])("states in %s", (dtype) => {
  const create = (hiddenSize: number) =>
    createHiddenStates(join(folder, "part"), {
      rowCounts: new Map([
        ["last-token", 2],
        ["every-token", 7],
      ] as const),
      layers: LAYERS,
      hiddenSize,
      dtype,
      metadata: { model: "m" },
    });

  // of the third size, the file has several pieces, each with a hash of its own
  it.each([3, 100_000, 500_000])(
    "of width %i lie in their rows, whatever order they come in and however many at once",
    async (hiddenSize) => {
      const path = join(folder, "states.safetensors");
      await using writer = await create(hiddenSize);
      const [first, second] = [statesOf([0, 1, 2, 3], hiddenSize), statesOf([10, 11, 12, 13], hiddenSize)];
      const rows: readonly StateRows[] = [
        { position: "every-token", row: 4, count: 3, states: second, token: 1 },
        { position: "last-token", row: 1, count: 1, states: second, token: 0 },
        { position: "every-token", row: 0, count: 3, states: first, token: 0 },
      ];
      const gap: readonly StateRows[] = [
        { position: "every-token", row: 3, count: 1, states: first, token: 3 },
        { position: "last-token", row: 0, count: 1, states: first, token: 3 },
      ];
      await Promise.all([writer.write(rows), writer.write(gap)]);
      expect(await writer.finish(path)).toBe(await fingerprintFile(path));
      const hidden = await openHiddenStates(path);
      const tokensOf = { "every-token": [0, 1, 2, 3, 11, 12, 13], "last-token": [3, 10] } as const;
      for (const position of ["every-token", "last-token"] as const)
        for (const [index, layer] of LAYERS.entries())
          for (const [row, token] of tokensOf[position].entries())
            expect(
              haveSameBits(
                await hidden.read(position, layer, [row]),
                stateOf(token, hiddenSize).subarray(index * hiddenSize, (index + 1) * hiddenSize),
              ),
              `${position} ${row}, layer ${layer}`,
            ).toBe(true);
    },
  );

  it.each([
    ["all zero", [0, 0, -0, 0, 0]],
    ["not finite", [1, 2, 3, 4, Number.NaN]],
    ["not finite", [1, Number.NEGATIVE_INFINITY, 3, 4, 5]],
    ["not finite", [1, 2, Number.POSITIVE_INFINITY, 4, 5]],
  ])("that are %s are refused, with their place: %j", async (what, numbers) => {
    await using writer = await create(5);
    const good = Float32Array.from([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    const bad = Float32Array.from([1, 2, 3, 4, 5, ...numbers]);
    const states = stackStates([good, bad], 2);
    await expect(
      writer.write([{ position: "every-token", row: 2, count: 2, states, token: 0 }]),
    ).rejects.toMatchObject({
      code: "bad-checkpoint",
      message: expect.stringContaining(`every-token, layer 3, row 3 is ${what}`) as string,
    });
  });

  it("of fewer layers or tokens than their rows are refused", async () => {
    await using writer = await create(5);
    const states = statesOf([0, 1], 5);
    const row = { position: "every-token", row: 0, count: 2, token: 0 } as const;
    const refused = (pattern: RegExp) => ({
      code: "bad-backend",
      message: expect.stringMatching(pattern) as string,
    });
    await expect(writer.write([{ ...row, states: states.slice(1) }])).rejects.toMatchObject(
      refused(/gave 1 arrays of at least 10 numbers .* every-token, row 0; expected 2, .* at least 10\.$/),
    );
    await expect(writer.write([{ ...row, states, token: 1 }])).rejects.toMatchObject(
      refused(/gave 2 arrays of at least 10 numbers .* at least 15\.$/),
    );
  });
});
