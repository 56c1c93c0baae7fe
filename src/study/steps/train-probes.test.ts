import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { openWorkspace } from "../workspace.ts";
import { generateRuns } from "./generate-runs.ts";
import { readGenerationConfig } from "./train-probes.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));

it("a probe's record of how the model was asked is that of the generate step", async () => {
  const root = await mkdtemp(join(tmpdir(), "sep-asking-"));
  try {
    const workspace = openWorkspace(root);
    expect(await readGenerationConfig(workspace)).toBeNull();
    await writeJsonl(workspace.raw("math"), [{ id: "a", question: "What is 1 + 1?", answer: "2" }]);
    await using model = await loadModel(CHECKPOINT, { threads: 1 });
    const sampler = {
      ...PLAIN_SAMPLER,
      temperature: 0.7,
      topP: 0.8,
      topK: 5,
      maxNewTokens: 3,
      stopStrings: ["\n\n"],
    };
    const asking = { promptFormat: "notebook", systemPrompt: "Be terse." } as const;
    await finishStep(generateRuns(workspace, "math", { model, sampler, runs: 2, ...asking }));
    expect(await readGenerationConfig(workspace)).toEqual({
      prompt_format: "notebook",
      system_prompt: "Be terse.",
      enable_thinking: null,
      sampler,
    });
  } finally {
    await rm(root, { recursive: true });
  }
});
