import { z } from "zod";
import { flag, inGroup, redescribe, setting, text } from "../study/settings/setting.ts";
import { parseShard, type Shard } from "../study/shards/shard.ts";
import { openShard, type Workspace, withStudyRuns } from "../study/workspace.ts";

/** Only for the command line, not for a file of settings. */
const onCommandLine = <S extends z.ZodType>(schema: S): S => redescribe(schema, { inFile: false });

/** Of every step: where it works, and what it prints. */
export const OUTPUT = inGroup("Study and output", {
  out: onCommandLine(
    setting(z.string().min(1).default("."), "Folder of the study, with data/ and artifacts/ in it.", {
      placeholder: "DIR",
    }),
  ),
  force: onCommandLine(flag("Replace outputs that were made with other settings or from other inputs.")),
  json: onCommandLine(flag("Print one JSON line per event on stdout, with the result last.")),
  quiet: onCommandLine(flag("Print only warnings and errors.")),
});

/** Of steps that read settings from a file. */
export const CONFIG = inGroup("Study and output", {
  config: onCommandLine(
    text(
      "FILE",
      "File of settings by option name, in YAML or JSON, such as the artifacts/config.yaml that `sep run` writes. Options on the command line take precedence.",
    ),
  ),
});

/** Studies that come with the package, as files of settings in `examples/`. */
export const EXAMPLE = inGroup("Study and output", {
  example: onCommandLine(
    setting(
      z.enum(["trivia"]).optional(),
      "Take the settings of an example. trivia: general knowledge, asked of a real small model that makes up what it does not know, downloaded once (270 MB). --config and options on the command line take precedence.",
      { fallback: "arithmetic, with the embedded model" },
    ),
  ),
});

/** Which question set a step works on. */
export const SET = inGroup("Study and output", {
  set: setting(
    z.enum(["both", "math", "ood"]).default("both"),
    "Question set to work on; with both, a missing ood set is skipped with a note.",
  ),
});

/** Which part of the questions a step works on. */
export const SHARD = inGroup("Study and output", {
  shard: setting(
    z.string().refine(isShard).optional(),
    "Work on part I of N of the questions, in shards/I-of-N/; `sep merge` joins the parts; docs/scale.md.",
    { placeholder: "I/N", fallback: "all questions", expected: "I/N with I from 1 to N, such as 2/8" },
  ),
});

function isShard(text: string): boolean {
  try {
    parseShard(text);
    return true;
  } catch {
    return false; // the option's own error says what is expected
  }
}

/** Where a step that writes runs works. */
export const shardWorkspace = (study: Workspace, shard: string | undefined): Workspace =>
  shard === undefined ? study : openShard(study.root, parseShard(shard) as Shard);

/** Where a step that reads runs works. */
export const shardOrStudyRuns = (study: Workspace, shard: string | undefined): Promise<Workspace> =>
  withStudyRuns(shardWorkspace(study, shard));
