import { resolve } from "node:path";
import { z } from "zod";
import { locateCheckpoint } from "../../checkpoint/locate-checkpoint.ts";
import { reportPull } from "../../checkpoint/opening-event.ts";
import { listenBehindGate } from "../../net/listen.ts";
import type { Site } from "../../serve/page-site.ts";
import { type GatheredStudy, gatherPageStudy } from "../../study/page/page-study.ts";
import { flag, setting, text } from "../../study/settings/setting.ts";
import type { StepEvent } from "../../study/step.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { openBrowser, untilAborted } from "../open-browser.ts";
import { renderProgress } from "../render-progress.ts";
import { createPaint } from "../terminal.ts";

const USUAL_PORT = 8010;
/** With its web server, which other commands have no use for. */
const loadPageSite = () => import("../../serve/page-site.ts");

/** The browser page. */
export const PAGE: Command = defineCommand({
  name: "page",
  summary: "see a model think and doubt, in a page where it runs itself",
  options: {
    study: text("DIR", "Study whose model and probes the page has.", "the embedded model and its study"),
    out: text("DIR", "Write the page there, for any server of static files, instead of serving it."),
    model: text("MODEL", "Where the study's model is, in Hugging Face format.", "as the study names it"),
    port: setting(z.int().min(0).max(65_535).default(USUAL_PORT), "Port to listen on; 0 takes a free one."),
    open: flag("Open the page in a browser."),
    quiet: OUTPUT.quiet,
  },
  examples: [
    { line: "sep page", meaning: "the embedded model, on this machine only" },
    {
      line: "sep page --study . --out site",
      meaning: "a page of the study in this folder, to put on any web server",
    },
  ],
  async run(values, context) {
    const { data, env, signal } = context;
    const { study, out, quiet } = values;
    const say = (line: string): void => void (quiet || data.write(`${line}\n`));
    const progress = { json: false, quiet };
    const { buildPocketSite, downloadBytes, megabytes, serveSite, writeSite } = await loadPageSite();
    const site =
      study === undefined
        ? await buildPocketSite()
        : await renderProgress(makeSite(study, values.model, signal), progress, context);
    say(`A visitor downloads ${megabytes(downloadBytes(site))} MB, once.`);
    if (out !== undefined) {
      await writeSite(site, out);
      say(`Page    ${resolve(out)}`);
      return EXIT.ok;
    }
    await using listening = await listenBehindGate(serveSite(site).fetch, {
      port: values.port,
      token: null,
      maxBodyBytes: 0,
      title: "See doubt",
    });
    data.write(quiet ? `${listening.address}\n` : `Page    ${listening.address}\n`);
    say(createPaint(data, env)("gray", "Press Ctrl-C to end."));
    if (values.open) openBrowser(listening.address, context);
    await untilAborted(signal);
    return EXIT.ok;
  },
});

async function* makeSite(
  folder: string,
  model: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<StepEvent, Site> {
  const gathered: GatheredStudy = yield* gatherPageStudy(openWorkspace(folder), signal);
  const reference = model ?? gathered.study.model;
  const { path } = yield* reportPull(reference, locateCheckpoint(reference, { signal }));
  const { buildSite } = await loadPageSite();
  return buildSite(path, gathered);
}
