import { mergeShards } from "../../study/shards/merge-shards.ts";
import { type Command, defineCommand } from "../command.ts";
import { runStepCommand } from "../run-steps.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

/** Joins the files of shards. */
export const MERGE: Command = defineCommand({
  name: "merge",
  summary: "join what generate, entropy and trace wrote with --shard",
  options: OUTPUT_OPTIONS,
  examples: [{ line: "sep merge", meaning: "all shards below shards/, into data/ and artifacts/" }],
  run(values, context) {
    return runStepCommand(values, context, ({ root }) =>
      mergeShards(root, { force: values.force, signal: context.signal }),
    );
  },
});
