import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import type { Check } from "../machine-checks.ts";
import { DOCTOR } from "./doctor.ts";

it("finds everything that a run needs, the embedded model included", async () => {
  const cli = createFakeCli({ env: { HF_HOME: "/nowhere/hf" } });
  expect(await DOCTOR.run(["--out", tmpdir()], cli.context)).toBe(0);
  expect(cli.stdout()).toMatch(/^ok {6}embedded model .* one forward pass succeeded$/m);
  expect(cli.stdout()).toMatch(/^absent {2}hf-cache .*\/nowhere\/hf\/hub \(HF_HOME\) does not exist$/m);
  expect(cli.stdout().trimEnd().endsWith("Everything that `sep run` needs works.")).toBe(true);
});

it("says it to machines, and fails when something needed is broken", async () => {
  const cli = createFakeCli();
  expect(await DOCTOR.run(["--json", "--out", `${process.execPath}/study`], cli.context)).toBe(1);
  const { kind, ok, checks } = JSON.parse(cli.stdout()) as { kind: string; ok: boolean; checks: Check[] };
  expect({ kind, ok }).toEqual({ kind: "doctor", ok: false });
  expect(checks.filter(({ status }) => status === "broken").map(({ name }) => name)).toEqual(["workspace"]);
});
