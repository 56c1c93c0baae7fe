import { expect, it } from "vitest";
import type * as notebook from "../../packages/notebook/src/command/commands.ts";
import { loadNotebook, type NotebookPackage } from "./notebook-package.ts";

/** Does not compile where the notebook's package has not what the command asks of it. */
type Fits = typeof notebook extends NotebookPackage ? true : never;
const fits: Fits = true;

it("loads the notebook, which has what the command asks of it", async () => {
  expect(fits).toBe(true);
  const commands = await loadNotebook();
  expect(Object.keys(commands).sort()).toEqual(["app", "check", "edit", "exportPage", "run"]);
});

it("says how to install a notebook that is not there", async () => {
  const name = "semantic-entropy-probes-no-such-notebook";
  await expect(loadNotebook(name)).rejects.toMatchObject({
    code: "package-missing",
    message: expect.stringMatching(new RegExp(`\`npm install ${name}@\\d`)),
  });
});
