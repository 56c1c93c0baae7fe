import { SepError } from "../../errors.ts";
import { TRACE_POSITIONS } from "../../states/positions.ts";
import { importArrays } from "../../study/exchange/import-arrays.ts";
import { type Command, defineCommand } from "../command.ts";
import { choice, number, operands, text } from "../option-spec.ts";
import { oneStep, runStepCommand } from "../run-steps.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

/** Data of a Python pipeline. */
export const IMPORT: Command = defineCommand({
  name: "import",
  summary: "take hidden states and probe data sets of a Python pipeline into a study",
  options: {
    files: operands(
      "FILES",
      "NPZ files: math_train.npz, math_val.npz, math_test.npz, ood_test.npz, math_hidden_states.npz, …",
    ),
    layer: number(
      { integer: true, min: 0 },
      undefined,
      "Layer that the states are of; of the last one, the number of the model's blocks. The files do not say it.",
    ),
    position: choice(TRACE_POSITIONS, "think-end", "Token that they were read at."),
    "norm-state": choice(
      ["final-norm", "residual"],
      "final-norm",
      "final-norm: the last entry of Python's hidden_states; residual: any other.",
    ),
    model: text("NAME", undefined, "What the model is called, for the record."),
    ...OUTPUT_OPTIONS,
  },
  examples: [
    {
      line: "sep import old/math_train.npz old/math_val.npz old/math_test.npz --layer 28 --out study",
      meaning: "data sets of the last of 28 blocks; sep train and sep eval then run on them",
    },
  ],
  run({ files, layer, position, "norm-state": normState, model, ...output }, context) {
    if (layer === undefined)
      throw new SepError("bad-option", "`sep import` needs --layer N, which the files do not say.");
    return runStepCommand(output, context, (workspace) =>
      oneStep(importArrays(workspace, files, { layer, position, normState, model, force: output.force })),
    );
  },
});
