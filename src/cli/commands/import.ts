import { z } from "zod";
import { TRACE_POSITIONS } from "../../states/positions.ts";
import { importArrays } from "../../study/exchange/import-arrays.ts";
import { operands, setting, text } from "../../study/settings/setting.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { oneStep, runStepCommand } from "../run-steps.ts";

/** Data of a Python pipeline. */
export const IMPORT: Command = defineCommand({
  name: "import",
  summary: "take hidden states and probe data sets of a Python pipeline into a study",
  options: {
    files: operands(
      "FILES",
      "NPZ files: math_train.npz, math_val.npz, math_test.npz, ood_test.npz, math_hidden_states.npz, …",
    ),
    layer: setting(
      z.int().min(0),
      "Layer that the states are of; of the last one, the number of the model's blocks. The files do not say it.",
    ),
    position: setting(z.enum(TRACE_POSITIONS).default("think-end"), "Token that they were read at."),
    normState: setting(
      z.enum(["final-norm", "residual"]).default("final-norm"),
      "final-norm: the last entry of Python's hidden_states; residual: any other.",
    ),
    model: text("NAME", "What the model is called, for the record."),
    ...OUTPUT,
  },
  examples: [
    {
      line: "sep import old/math_train.npz old/math_val.npz old/math_test.npz --layer 28 --out study",
      meaning: "data sets of the last of 28 blocks; sep train and sep eval then run on them",
    },
  ],
  run: (values, context) =>
    runStepCommand(values, context, (workspace) => oneStep(importArrays(workspace, values.files, values))),
});
