import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const SOAK = fileURLToPath(new URL("../bench/serve/soak.js", import.meta.url));

// The script runs a real server and fails by its exit status; `npm run bench:soak` sends it 100,000 requests.
it("loses no answer and mixes none up, whatever clients do, and keeps neither memory nor descriptors", {
  tags: ["long"],
  timeout: 600_000,
}, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [SOAK, "--requests", "1500"]);
  expect(JSON.parse(stdout)).toMatchObject({ lost: 0, wrong: 0, problems: [] });
});

it("gives the other server's answer or, with a warning, its own, while the other is killed again and again", {
  tags: ["long"],
  timeout: 600_000,
}, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [SOAK, "--requests", "800", "--upstream"]);
  const { kills, escalated, unreached, ...outcome } = JSON.parse(stdout);
  expect(outcome).toMatchObject({ lost: 0, wrong: 0, problems: [] });
  expect(Math.min(kills, escalated, unreached)).toBeGreaterThan(0);
});
