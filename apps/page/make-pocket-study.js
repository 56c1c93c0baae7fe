/**
 * Makes models/pocket/page again: what the page shows of a study of the embedded model.
 *
 *   npm run build && npx sep run --out STUDY && node apps/page/make-pocket-study.js STUDY
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { encodePageStudy } from "../../dist/serve/page-site.js";
import { gatherPageStudy } from "../../dist/study/page/page-study.js";
import { openWorkspace } from "../../dist/study/workspace.js";

const folder = new URL("../../models/pocket/page/", import.meta.url);
const gathering = gatherPageStudy(openWorkspace(process.argv[2] ?? "."));
let step = await gathering.next();
while (!step.done) step = await gathering.next();
await rm(folder, { recursive: true, force: true });
await mkdir(folder);
for (const [name, bytes] of encodePageStudy(step.value)) await writeFile(new URL(name, folder), bytes);
