import { describe, expect, it } from "vitest";
import { createRng } from "../math/rng.ts";
import { type ProjectedStates, type ProjectStatesOptions, projectStates } from "./project-states.ts";

const WIDTH = 20;
const GROUPS = 3;
const EACH = 25;

/** Three groups far from each other, in turn: point i is of group i % 3. */
function groupedStates(): Float32Array {
  const rng = createRng("groups");
  const centres = Array.from({ length: GROUPS }, () => Array.from({ length: WIDTH }, () => 10 * rng.next()));
  return Float32Array.from({ length: GROUPS * EACH * WIDTH }, (_, at) => {
    const [point, d] = [Math.floor(at / WIDTH), at % WIDTH];
    return (centres[point % GROUPS]?.[d] as number) + rng.next();
  });
}

async function project(
  options: ProjectStatesOptions,
): Promise<{ states: ProjectedStates; events: number[] }> {
  const work = projectStates(groupedStates(), WIDTH, options);
  const events: number[] = [];
  for (;;) {
    const next = await work.next();
    if (next.done) return { states: next.value, events };
    events.push(next.value.done / next.value.total);
  }
}

/** Share of points whose nearest neighbour in the picture is of their group. */
function purity({ x, y }: ProjectedStates): number {
  const distance = (i: number, j: number): number => Math.hypot(x[i]! - x[j]!, y[i]! - y[j]!);
  const nearest = x.map((_, i) =>
    x.reduce((best, _, j) => (j !== i && (best === i || distance(i, j) < distance(i, best)) ? j : best), i),
  );
  return nearest.filter((j, i) => j % GROUPS === i % GROUPS).length / x.length;
}

describe("projectStates", () => {
  it.each(["PCA", "UMAP"] as const)("keeps groups apart: %s", async (method) => {
    const { states } = await project({ method });
    expect(states.x).toHaveLength(GROUPS * EACH);
    expect([...states.x, ...states.y].every(Number.isFinite)).toBe(true);
    expect(purity(states)).toBe(1);
  });

  it("says how much of the variance PCA shows, and nothing of the kind for UMAP", async () => {
    const [first, second] = (await project({ method: "PCA" })).states.varianceShares as [number, number];
    expect(first).toBeGreaterThan(second);
    expect(first + second).toBeGreaterThan(0.8); // three centres lie in a plane
    expect((await project({ method: "UMAP" })).states.varianceShares).toBeNull();
  });

  it("gives one picture for a seed, another for another, and tells how far it is", async () => {
    const one = await project({ method: "UMAP", seed: 1 });
    expect((await project({ method: "UMAP", seed: 1 })).states).toEqual(one.states);
    expect((await project({ method: "UMAP", seed: 2 })).states.x).not.toEqual(one.states.x);
    expect(one.events.length).toBeGreaterThan(10);
    expect(one.events).toEqual([...one.events].sort((a, b) => a - b));
  });

  it("takes as few as three states, and refuses two", async () => {
    const three = projectStates(Float32Array.from([0, 0, 1, 0, 0, 2]), 2, { method: "UMAP" });
    let next = await three.next();
    while (!next.done) next = await three.next();
    expect(next.value.x).toHaveLength(3);
    await expect(projectStates(new Float32Array(4), 2).next()).rejects.toThrow(
      expect.objectContaining({ code: "bad-option" }),
    );
  });
});
