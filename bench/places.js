// What it costs to read every token instead of four positions, and to train a probe at every step instead of one per answer.
// npm run bench:places -- [--questions FILE|NAME] [--limit 500] [--runs 2] [--repeats 3] [--layers all] [--model pocket] [--dtypes float16,float32]
// With --command, whole `sep trace` commands are timed instead, with their workers and the loading of the model: one after the other, or with
// --turns SECONDS all at once, each for so long in turn.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fitProbes, loadModel, openWorkspace, readRuns, traceRuns } from "../dist/index.js";
import { readStateRowIndex } from "../dist/states/state-index.js";
import { describeCpu } from "./generate/describe-cpu.js";
import { timeCommands } from "./places/commands.js";

const { values } = parseArgs({
  options: {
    questions: { type: "string", default: "arithmetic" },
    limit: { type: "string", default: "500" },
    runs: { type: "string", default: "2" },
    repeats: { type: "string", default: "3" },
    model: { type: "string", default: "pocket" },
    layers: { type: "string", default: "all" },
    command: { type: "boolean", default: false },
    turns: { type: "string", default: "0" },
    dtypes: { type: "string", default: "float16,float32" },
    out: { type: "string", default: mkdtempSync(join(tmpdir(), "sep-bench-places-")) },
  },
});
const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const FOUR = ["before-generation", "second-to-last", "think-end", "last-token"];
const KINDS = { four: { positions: FOUR, statesDtype: "float32" } };
for (const statesDtype of values.dtypes.split(","))
  KINDS[`every-token ${statesDtype}`] = { positions: [...FOUR, "every-token"], statesDtype };
const layers = values.layers === "all" ? "all" : values.layers.split(",").map(Number);

function sep(...args) {
  const { status } = spawnSync(process.execPath, [MAIN, ...args, "--out", values.out, "--quiet"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error(`sep ${args[0]} ended with ${status}`);
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** CPU seconds of this process, all threads, and wall seconds. */
async function timed(work) {
  const [cpu, wall] = [process.cpuUsage(), performance.now()];
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { result, cpuS: (user + system) / 1e6, wallS: (performance.now() - wall) / 1000 };
}

async function finish(step) {
  for (;;) {
    const next = await step.next();
    if (next.done) return next.value;
  }
}

sep("prepare", "--dataset", values.questions, "--ood", "none", "--limit", values.limit);
sep("generate", "--set", "math", "--model", values.model, "--runs", values.runs, "--max-new-tokens", "160");
if (values.command) {
  const commands = Object.entries(KINDS).map(([name, { positions, statesDtype }]) => {
    const out = join(values.out, name.replace(" ", "-"));
    cpSync(join(values.out, "data"), join(out, "data"), { recursive: true });
    const what = `--positions ${positions} --states-dtype ${statesDtype} --layers ${values.layers}`.split(
      " ",
    );
    const where = ["--set", "math", "--model", values.model, "--out", out];
    return { name, out, args: [MAIN, "trace", ...where, ...what, "--force", "--quiet"] };
  });
  const done = [];
  for (let i = 0; i < Number(values.repeats); i++) {
    // gigabytes take a while to remove
    for (const { out } of commands) rmSync(join(out, "artifacts"), { recursive: true, force: true });
    done.push(await timeCommands(commands, Number(values.turns)));
    console.log(
      `run ${i + 1}: ${done[i].map(({ name, wallS }) => `${name} ${wallS.toFixed(1)} s`).join(", ")}`,
    );
  }
  console.log(describeCpu());
  const medianOf = (j, time) => median(done.map((commands) => commands[j][time]));
  const against = (j, time) =>
    `${medianOf(j, time).toFixed(1)} s (${(medianOf(j, time) / medianOf(0, time)).toFixed(2)}x)`;
  for (const [j, { name }] of commands.entries())
    console.log(`sep trace ${name.padEnd(20)} ${against(j, "wallS")}, CPU ${against(j, "cpuS")}`);
  process.exit();
}
const workspace = openWorkspace(values.out);
const model = await loadModel(values.model, { threads: 1 });
const trace = (positions, options = {}) =>
  timed(() => finish(traceRuns(workspace, "math", { model, layers, positions, force: true, ...options })));

const times = Object.fromEntries(Object.keys(KINDS).map((name) => [name, []]));
await trace(["last-token"]); // warms up
// in turn, so that what else the machine does meets all of them
for (let i = 0; i < Number(values.repeats); i++)
  for (const [name, { positions, statesDtype }] of Object.entries(KINDS))
    times[name].push(await trace(positions, { statesDtype }));
const { runs } = await readRuns(workspace.runs("math"));
console.log(describeCpu());
console.log(
  `${runs.length} answers, ${runs.reduce((sum, run) => sum + run.tokens.length, 0)} tokens, ${values.model}, layers ${values.layers}`,
);
for (const [name, all] of Object.entries(times)) {
  const cpu = median(all.map(({ cpuS }) => cpuS));
  const base = median(times.four.map(({ cpuS }) => cpuS));
  console.log(
    `trace ${name.padEnd(20)} CPU ${cpu.toFixed(2)} s (${(cpu / base).toFixed(2)}x), wall ${median(all.map(({ wallS }) => wallS)).toFixed(2)} s`,
  );
}

await trace(["last-token", "step-end"]);
const index = await readStateRowIndex(workspace.hiddenStatesIndex("math"));
const rowsAt = (position) =>
  runs.flatMap((run) =>
    index.unitsOf(position, run.question_id, run.run_id).map((unit) => ({
      run,
      row: index.rowOf(position, run.question_id, run.run_id, unit?.span ?? null),
    })),
  );
const fits = [];
for (const position of ["last-token", "step-end"]) {
  const rows = rowsAt(position);
  const stateRows = { [position]: Int32Array.from(rows, ({ row }) => row) };
  const targets = { incorrect: { labels: rows.map(({ run }) => (run.is_correct ? 0 : 1)) } };
  const fitOnce = () =>
    timed(() =>
      finish(
        fitProbes(
          { path: workspace.hiddenStates("math"), stateRows },
          targets,
          rows.map(({ run }) => run.question_id),
          { workers: 1 },
        ),
      ),
    );
  const own = [];
  for (let i = 0; i < Number(values.repeats); i++) own.push(await fitOnce());
  const cpu = median(own.map(({ cpuS }) => cpuS));
  fits.push(cpu / rows.length);
  console.log(
    `train ${position.padEnd(20)} ${rows.length} rows, CPU ${cpu.toFixed(2)} s, ${((1000 * cpu) / rows.length).toFixed(3)} ms a row`,
  );
}
console.log(`a row of step-end costs ${(fits[1] / fits[0]).toFixed(2)} times one of last-token`);
console.log(`data in ${values.out}; ${readFileSync(workspace.hiddenStates("math")).length} bytes of states`);
await model[Symbol.asyncDispose]();
