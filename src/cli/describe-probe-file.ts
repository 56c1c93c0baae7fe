import type { Probe, UntrainedProbe } from "../probes/probe.ts";
import { formatNumber, formatPEquation } from "../text/format-numbers.ts";

/** What a probe file says of itself, a name and a value a row. */
export function describeProbeFile(probe: Probe | UntrainedProbe): readonly (readonly [string, string])[] {
  if (probe.kind === "untrained") {
    return [
      ["kind", "could not be trained"],
      ["reads", "nothing"],
      ...probe.warnings.map(({ code, message }) => [code, message] as const),
    ];
  }
  const { source, training, layer, layer_count, C, familiarity } = probe;
  const layers =
    layer === null
      ? ""
      : layer_count === 1
        ? `layer ${layer}`
        : `layers ${layer} to ${layer + layer_count - 1}`;
  return [
    ["kind", `${probe.kind}, C ${C}, class weight ${probe.class_weight}`],
    ["target", TARGETS[probe.target]],
    [
      "reads",
      layer === null
        ? "mean token entropy of the reasoning"
        : `${probe.position}, ${layers}, ${probe.width} numbers, ${source.norm_state ?? "norm state unknown"}`,
    ],
    ...(
      ["model", "model_revision", "weights_sha256", "tokenizer_sha256", "dtype", "indices"] as const
    ).flatMap((key) =>
      source[key] === undefined ? [] : [[key.replace("_sha256", ""), source[key]] as const],
    ),
    ["asked", describeAsking(probe)],
    [
      "training",
      `${training.row_count} answers to ${training.question_count} questions, ${training.positive_count} of label 1, seed ${training.seed}`,
    ],
    ["AUROC", describeAuroc(probe)],
    ["calibration", describeMap(probe)],
    ...(familiarity === null
      ? []
      : [
          [
            "familiarity",
            `${familiarity.variances.length} leading direction${familiarity.variances.length === 1 ? "" : "s"} of ${familiarity.training_questions} training questions, distances of ${familiarity.distances.length} validation questions`,
          ] as const,
        ]),
    ...probe.decisions.map(
      ({ kind, target, threshold, reason }) =>
        [
          kind,
          threshold === null
            ? `${target}: none. ${reason}`
            : `${target}: answer up to score ${formatNumber(threshold.threshold, 4)}. ${threshold.guarantee}`,
        ] as const,
    ),
    ...probe.warnings.map(({ code, message }) => [code, message] as const),
  ];
}

const TARGETS = {
  incorrect: "incorrect: label 1 is a wrong answer",
  "high-semantic-entropy": "high-semantic-entropy: label 1 is a question whose answers disagree in meaning",
} as const satisfies Record<Probe["target"], string>;

function describeAsking({ asking }: Probe): string {
  if (asking === null) return "unknown: the runs are of another tool";
  const { prompt_format, system_prompt, sampler } = asking;
  const format = typeof prompt_format === "string" ? prompt_format : JSON.stringify(prompt_format);
  const system = system_prompt === null ? "" : ", with a system prompt";
  return `${format}${system}, temperature ${sampler.temperature}, top-p ${sampler.topP}, at most ${sampler.maxNewTokens} tokens`;
}

function describeAuroc({ training, C }: Probe): string {
  const chosen = training.penalty_scores.find((score) => score.C === C)?.auroc ?? null;
  const nested = training.nested?.auroc ?? null;
  const { permutation } = training;
  const p = permutation?.best_of_all?.p_value ?? permutation?.chosen?.p_value ?? null;
  const parts = [
    chosen === null ? "unknown" : `${formatNumber(chosen)} out of fold`,
    ...(nested === null ? [] : [`${formatNumber(nested)} nested`]),
    ...(p === null ? [] : [formatPEquation(p, permutation!.permutations)]),
  ];
  return `${parts.join(", ")}; see sep eval for held-out questions`;
}

function describeMap({ calibration_map: map }: Probe): string {
  if (map === null) return "none: on the validation questions scores do not rise with the label";
  if (map.method === "platt")
    return `platt, slope ${formatNumber(map.slope, 4)}, offset ${formatNumber(map.offset, 4)}`;
  return `isotonic, ${map.x.length} points`;
}
