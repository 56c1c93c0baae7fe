import { normalQuantile } from "../../src/math/distributions.ts";
import { createRng } from "../../src/math/rng.ts";

/** Hidden states in which a question's difficulty is planted, more strongly in some layers than in others. */
export interface PlantedLayers {
  /** One [N, D] a layer. */
  readonly layers: readonly Float32Array[];
  readonly labels: Uint8Array;
  /** [N] one number a question. */
  readonly values: Float64Array;
  readonly questionIds: readonly string[];
}

/**
 * @param strengths of the signal in each layer; 0 is noise
 */
export function plantLayers(
  strengths: readonly number[],
  {
    questions = 40,
    rowsAQuestion = 3,
    width = 8,
    seed = 1,
  }: {
    readonly questions?: number;
    readonly rowsAQuestion?: number;
    readonly width?: number;
    readonly seed?: number;
  } = {},
): PlantedLayers {
  const rng = createRng("planted-layers", seed);
  const gaussian = (): number => normalQuantile(Math.min(Math.max(rng.next(), 1e-12), 1 - 1e-12));
  const difficulty = Array.from({ length: questions }, gaussian);
  const rows = Array.from({ length: questions * rowsAQuestion }, (_, i) => Math.floor(i / rowsAQuestion));
  return {
    layers: strengths.map((strength) => {
      const layer = new Float32Array(rows.length * width);
      rows.forEach((question, i) => {
        for (let j = 0; j < width; j++) {
          layer[i * width + j] = gaussian() + (j % 2) * strength * difficulty[question]!;
        }
      });
      return layer;
    }),
    labels: Uint8Array.from(rows, (question) => (difficulty[question]! + 0.8 * gaussian() > 0 ? 1 : 0)),
    values: Float64Array.from(rows, (question) => Math.max(0, 1 + difficulty[question]!)),
    questionIds: rows.map((question) => `q${question}`),
  };
}
