// How long a new user waits, from an empty folder to the first report, the first risk of a question of their own, and the first
// risk over HTTP: once from a clone, once from the packed package. npm's cache is filled before, so that the network's time is
// not counted. Fails where a limit is exceeded.
//
//   npm run bench:new-user [-- --keep]
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeCpu } from "./generate/describe-cpu.js";

const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const QUESTION = "How much is 48 + 76?";
/** Seconds from the empty folder on. */
const LIMITS = { "first report": 180, "first risk of an own question": 240, "first risk over HTTP": 300 };

const folder = mkdtempSync(join(tmpdir(), "bench-new-user-"));
const run = (cwd, command, ...args) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const NO_NETWORK = ["--offline", "--no-audit", "--no-fund"];

try {
  const tarball = pack();
  const ways = {
    "from a clone": { install: installClone, start: ["npm", "start"] },
    "from npm": { install: (at, npm) => installPackage(at, npm, tarball), start: ["npx", "sep", "run"] },
  };
  for (const { install } of Object.values(ways))
    install(join(folder, "filling-the-cache"), ["--prefer-offline"]);
  console.log(`node ${process.version}, ${describeCpu()}; load ${loadavg()[0].toFixed(1)} at the start`);
  console.log(
    `\n${"".padEnd(32)}${Object.keys(ways)
      .map((way) => way.padStart(16))
      .join("")}${"limit".padStart(10)}`,
  );
  const columns = [];
  for (const way of Object.values(ways)) columns.push(await time(way));
  for (const name of Object.keys(columns[0])) {
    const cells = columns.map((times) => `${times[name].toFixed(1)} s`.padStart(16));
    console.log(
      `${name.padEnd(32)}${cells.join("")}${(LIMITS[name] === undefined ? "" : `${LIMITS[name]} s`).padStart(10)}`,
    );
  }
  const late = Object.entries(LIMITS).filter(([name, limit]) => columns.some((times) => times[name] > limit));
  if (late.length > 0) {
    console.log(`\nOver the limit: ${late.map(([name]) => name).join(", ")}.`);
    process.exitCode = 1;
  }
} finally {
  if (values.keep) console.log(`\nkept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}

/** Seconds from the empty folder to the end of each part. */
async function time({ install, start: [command, ...args] }) {
  const at = join(folder, "user");
  const beganMs = performance.now();
  const passed = () => (performance.now() - beganMs) / 1000;
  const times = {};
  install(at, NO_NETWORK);
  times.installed = passed();
  run(at, command, ...args);
  if (!existsSync(join(at, "artifacts", "report.html"))) throw new Error("The run left no report.");
  times["first report"] = passed();
  const { risk } = JSON.parse(run(at, "npx", "sep", "score", "--json", QUESTION).trim().split("\n").at(-1));
  if (typeof risk !== "number") throw new Error("sep score gave no risk.");
  times["first risk of an own question"] = passed();
  await askServer(at);
  times["first risk over HTTP"] = passed();
  rmSync(at, { recursive: true, force: true });
  return times;
}

function installClone(at, npm) {
  run(folder, "git", "clone", "--quiet", `file://${ROOT}`, at);
  run(at, "npm", "ci", ...npm);
  if (!npm.includes("--offline")) rmSync(at, { recursive: true, force: true });
}

function installPackage(at, npm, tarball) {
  mkdirSync(at);
  writeFileSync(join(at, "package.json"), '{ "private": true }');
  run(at, "npm", "install", "--ignore-scripts", ...npm, tarball);
  if (!npm.includes("--offline")) rmSync(at, { recursive: true, force: true });
}

/** @returns the path of what `npm publish` would upload */
function pack() {
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const [{ filename }] = JSON.parse(run(ROOT, "npm", ...args));
  return join(folder, filename);
}

/** Starts `sep serve`, asks it as any client of OpenAI's API does, and stops it. */
async function askServer(at) {
  const server = spawn("npx", ["sep", "serve", "--port", "0"], {
    detached: true,
    cwd: at,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  for await (const chunk of server.stdout) {
    said += chunk;
    if (/^OpenAI +http/m.test(said) && said.endsWith("\n")) break;
  }
  const [, address] = /^OpenAI +(http\S+)/m.exec(said);
  const response = await fetch(`${address}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "pocket", messages: [{ role: "user", content: QUESTION }] }),
  });
  const { choices } = await response.json();
  if (typeof choices[0].sep.risk !== "number") throw new Error("The server's answer came without a risk.");
  process.kill(-server.pid); // npx does not pass the signal on to what it runs
}
