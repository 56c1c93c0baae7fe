import type { UMAP } from "umap-js";
import { SepError } from "../errors.ts";
import { principalComponents } from "../math/principal-components.ts";
import { createRng } from "../math/rng.ts";

export const PROJECTIONS = ["PCA", "UMAP"] as const;
export type ProjectionName = (typeof PROJECTIONS)[number];

export interface ProjectStatesOptions {
  /** `PCA` keeps distances as far as two directions can; `UMAP` keeps who is near whom, and distances mean little. */
  readonly method?: ProjectionName;
  /** For UMAP, which begins at random. */
  readonly seed?: number;
  /** For UMAP: how many neighbours of each point are kept near it; fewer where there are fewer points. */
  readonly neighbours?: number;
}

/** Points in two dimensions. */
export interface ProjectedStates {
  /** [n] */
  readonly x: readonly number[];
  /** [n] */
  readonly y: readonly number[];
  /** Of all variance, along x and y; null for UMAP, whose axes have no meaning. */
  readonly varianceShares: readonly number[] | null;
}

/** UMAP's progress. */
export interface ProjectionEvent {
  readonly kind: "advanced";
  readonly step: "project";
  readonly done: number;
  readonly total: number;
}

const FEWEST_POINTS = 3;
/** Rounds of UMAP between two events: some ten milliseconds. */
const ROUNDS_AN_EVENT = 10;

/**
 * Hidden states in two dimensions, for looking at. What is near in the picture need not be near in the model.
 * @param states [n, D], rows one after the other
 * @throws SepError `bad-option` for fewer than three states, `package-missing` for UMAP without umap-js
 * @see McInnes, Healy and Melville 2018 for UMAP
 */
export async function* projectStates(
  states: Float32Array,
  width: number,
  { method = "PCA", seed = 0, neighbours = 15 }: ProjectStatesOptions = {},
): AsyncGenerator<ProjectionEvent, ProjectedStates> {
  const n = states.length / width;
  if (n < FEWEST_POINTS)
    throw new SepError(
      "bad-option",
      `Got ${n} states, but a projection needs at least ${FEWEST_POINTS}. Show more answers.`,
    );
  if (method === "PCA") {
    const { scores, varianceShares } = principalComponents(states, width, 2);
    return { x: [...(scores[0] ?? [])], y: [...(scores[1] ?? [])], varianceShares };
  }
  const rng = createRng("umap", seed);
  const Umap = await loadUmap();
  const umap = new Umap({ nNeighbors: Math.min(neighbours, n - 1), random: () => rng.next() });
  const rows = Array.from({ length: n }, (_, i) => [...states.subarray(i * width, (i + 1) * width)]);
  const total = umap.initializeFit(rows);
  for (let done = 0; done < total; done++) {
    umap.step();
    if (done % ROUNDS_AN_EVENT === 0) yield { kind: "advanced", step: "project", done, total };
  }
  const places = umap.getEmbedding();
  return {
    x: places.map(([x]) => x as number),
    y: places.map(([, y]) => y as number),
    varianceShares: null,
  };
}

/** The notebook brings umap-js along; a user of the library who wants UMAP installs it, and others do without. */
async function loadUmap(): Promise<typeof UMAP> {
  try {
    return (await import("umap-js")).UMAP;
  } catch (cause) {
    throw new SepError(
      "package-missing",
      "UMAP needs the package umap-js, which is not installed. Run `npm install umap-js`, or ask for PCA.",
      { cause },
    );
  }
}
