// @ts-expect-error the package has no types
import { Runtime } from "@observablehq/runtime";
import { expect } from "vitest";
import { createRng, type Rng } from "../../../../src/math/rng.ts";
import { eachSampled } from "../../../../test/each-sampled.ts";
import { createScheduler } from "./scheduler.ts";

/** An acyclic notebook: cell i is named v<i> and reads some of the cells before it, in any order on the page. */
interface RandomCell {
  readonly name: string;
  reads: readonly string[];
  weight: number;
}

const EDITS_PER_GRAPH = 4;

eachSampled([[50], [200]])(
  "computes the same values in the same number of runs as @observablehq/runtime on %i random graphs",
  async (graphs) => {
    const rng = createRng(20_240_607);
    let edits = 0;
    for (let graph = 0; graph < graphs; graph += 1) {
      const cells = randomCells(2 + rng.integer(10), rng);
      const ours = openOurs(cells);
      const theirs = openTheirs(cells);
      expect(await ours.settle(() => ours.scheduler.runAll())).toEqual(await theirs.settle(() => undefined));
      for (let edit = 0; edit < EDITS_PER_GRAPH; edit += 1) {
        const cell = cells[rng.integer(cells.length)] as RandomCell;
        cell.weight += 1 + rng.integer(5);
        if (rng.next() < 0.5) cell.reads = randomReads(cells.indexOf(cell), rng);
        const [our, their] = [await ours.redefine(cell), await theirs.settle(() => theirs.redefine(cell))];
        expect(our, `graph ${graph}, edit ${edit}`).toEqual(their);
        expect(our.runs.length).toBeGreaterThan(0);
        edits += 1;
      }
    }
    expect(edits).toBe(graphs * EDITS_PER_GRAPH);
  },
);

const randomCells = (count: number, rng: Rng): RandomCell[] =>
  Array.from({ length: count }, (_, at) => ({ name: `v${at}`, reads: randomReads(at, rng), weight: at }));

const randomReads = (at: number, rng: Rng): string[] =>
  Array.from({ length: at }, (_, other) => `v${other}`).filter(() => rng.next() < 0.35);

const compute = ({ name, weight }: RandomCell, inputs: readonly unknown[]): string =>
  `${name}:${weight}(${inputs.join(",")})`;

interface Outcome {
  readonly values: Record<string, unknown>;
  /** Cells that ran, sorted; once a run. */
  readonly runs: readonly string[];
}

function openOurs(cells: readonly RandomCell[]) {
  // upside down on the page: the order of the notebook must not matter
  const page = [...cells].reverse();
  const runs: string[] = [];
  let rest: () => void = () => undefined;
  const scheduler = createScheduler({
    async run(id, inputs) {
      const cell = page[id - 1] as RandomCell;
      runs.push(cell.name);
      return new Map([[cell.name, compute(cell, [...inputs.values()])]]);
    },
    report: () => undefined,
    idle: () => rest(),
    now: () => 0,
  });
  const define = (): void =>
    scheduler.define(
      page.map((cell, at) => ({
        id: at + 1,
        defines: [cell.name],
        inputs: cell.reads,
        upstream: cell.reads.map((name) => page.findIndex((each) => each.name === name) + 1),
        disabled: false,
        problem: null,
        version: JSON.stringify(cell),
      })),
    );
  const settle = async (act: () => void): Promise<Outcome> => {
    runs.length = 0;
    const settled = new Promise<void>((resolve) => {
      rest = resolve;
    });
    act();
    await settled;
    return { values: Object.fromEntries([...scheduler.values].sort()), runs: [...runs].sort() };
  };
  define();
  return {
    scheduler,
    settle,
    redefine: (cell: RandomCell) =>
      settle(() => {
        define();
        scheduler.run([page.indexOf(cell) + 1]);
      }),
  };
}

function openTheirs(cells: readonly RandomCell[]) {
  const runs: string[] = [];
  const values: Record<string, unknown> = {};
  const main = new Runtime().module();
  const variables = new Map<string, ReturnType<typeof main.variable>>();
  const redefine = (cell: RandomCell): void => {
    let variable = variables.get(cell.name);
    if (variable === undefined) {
      variable = main.variable({
        fulfilled: (value: unknown) => Object.assign(values, { [cell.name]: value }),
      });
      variables.set(cell.name, variable);
    }
    variable.define(cell.name, [...cell.reads], (...inputs: unknown[]) => {
      runs.push(cell.name);
      return compute(cell, inputs);
    });
  };
  for (const cell of cells) redefine(cell);
  return {
    redefine,
    async settle(act: () => void): Promise<Outcome> {
      runs.length = 0;
      act();
      await new Promise((resolve) => setTimeout(resolve, 1));
      await Promise.all(cells.map(({ name }) => main.value(name)));
      await new Promise((resolve) => setTimeout(resolve, 1));
      return { values: Object.fromEntries(Object.entries(values).sort()), runs: [...runs].sort() };
    },
  };
}
