import { SepError } from "../../errors.ts";
import type { ConfigReader } from "./config-reader.ts";
import type { RopeScaling, RopeSettings } from "./rope.ts";

interface ReadRopeOptions {
  readonly headSize: number;
  /** Base where the section states none. */
  readonly theta: number;
  /** Share of each head that is turned where the section states none; null if the architecture turns whole heads
   * whatever the config says, so that another share must be refused. */
  readonly rotaryShare: number | null;
  /** Rope types to accept. LongRoPE is not among the usual ones, since it holds for a part of the context only. */
  readonly kinds?: readonly RopeType[];
}

/** Dynamic scaling changes nothing within the trained context, and the engine does not accept longer sequences. */
type RopeType = RopeScaling["kind"] | "dynamic";

const USUAL_KINDS = ["default", "linear", "dynamic", "llama3", "yarn", "frequency_factors"] as const;

/** transformers' `default_theta`. */
export const DEFAULT_ROPE_THETA = 10_000;
/** YaRN's own defaults (Peng et al. 2023, section 3.2). */
const YARN_BETAS = { fast: 32, slow: 1 } as const;
/** Fields of a rope section that mean something with every type. */
const GENERAL_FIELDS = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
const FIELDS: Readonly<Record<RopeType, readonly string[]>> = {
  default: [],
  linear: ["factor"],
  dynamic: ["factor"],
  llama3: ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
  yarn: ["factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "attention_factor"],
  frequency_factors: ["factors"],
  longrope: ["factor", "original_max_position_embeddings", "short_factor", "long_factor", "attention_factor"],
};

/**
 * Reads the rotary settings of `config.json`, in both spellings: `rope_theta` + `rope_scaling`, and the
 * `rope_parameters` of transformers 5. As there, `rope_scaling` wins where both are present.
 * @throws SepError `unsupported-model` for a rope type, or a field of one, that is not implemented
 */
export function readRopeSettings(
  config: ConfigReader,
  {
    headSize,
    theta = config.number("rope_theta", DEFAULT_ROPE_THETA),
    rotaryShare = null,
    kinds = USUAL_KINDS,
  }: Pick<ReadRopeOptions, "headSize"> & Partial<ReadRopeOptions>,
): RopeSettings {
  const section = [config.section("rope_scaling"), config.section("rope_parameters")].find(
    (candidate) => candidate !== null && candidate.fields().length > 0,
  );
  return readRopeSection(config, section ?? null, { headSize, theta, rotaryShare, kinds });
}

/** As {@link readRopeSettings}, with the section given: an architecture that has several reads each. */
export function readRopeSection(
  config: ConfigReader,
  section: ConfigReader | null,
  { headSize, theta, rotaryShare, kinds = USUAL_KINDS }: ReadRopeOptions,
): RopeSettings {
  if (rotaryShare === null) {
    for (const source of [section, config]) source?.allow("partial_rotary_factor", [1, null]);
  }
  const share = section?.number("partial_rotary_factor", rotaryShare ?? 1) ?? rotaryShare ?? 1;
  const rotarySize = Math.trunc(headSize * share);
  if (rotarySize < 1 || rotarySize > headSize) {
    throw new SepError(
      "unsupported-model",
      `${config.path}: ${share} of each head would be rotated, expected a share above 0 and up to 1 that rotates at least one pair.`,
    );
  }
  return {
    theta: section?.number("rope_theta", theta) ?? theta,
    rotarySize,
    scaling:
      section === null ? { kind: "default" } : readScaling(config, section, kinds, Math.ceil(rotarySize / 2)),
  };
}

function readScaling(
  config: ConfigReader,
  section: ConfigReader,
  kinds: readonly RopeType[],
  pairs: number,
): RopeScaling {
  const stated = section.has("rope_type") ? section.text("rope_type") : section.text("type", "default");
  const kind = kinds.find((known) => known === stated);
  if (kind === undefined) {
    throw new SepError(
      "unsupported-model",
      `${section.path}: rope type "${stated}" is not implemented for this architecture; the local engine knows ${kinds.join(", ")}.`,
    );
  }
  section.refuseOthers([...GENERAL_FIELDS, ...FIELDS[kind]]);
  switch (kind) {
    case "default":
      return { kind };
    case "dynamic":
      return { kind: "default" };
    case "linear":
      return { kind, factor: section.number("factor") };
    case "llama3":
      return {
        kind,
        factor: section.number("factor"),
        lowFrequencyFactor: section.number("low_freq_factor"),
        highFrequencyFactor: section.number("high_freq_factor"),
        originalMaxPositions: readOriginalMaxPositions(config, section),
      };
    case "yarn": {
      const factor = section.number("factor");
      return {
        kind,
        factor,
        originalMaxPositions: readOriginalMaxPositions(config, section),
        betaFast: section.number("beta_fast", YARN_BETAS.fast),
        betaSlow: section.number("beta_slow", YARN_BETAS.slow),
        magnitude: section.number("attention_factor", factor > 1 ? 0.1 * Math.log(factor) + 1 : 1),
      };
    }
    case "frequency_factors":
      return { kind, factors: readFactors(section, "factors", pairs) };
    case "longrope":
      return readLongRope(config, section, pairs);
  }
}

/** The context that long ones are stretched from; a field beside the section wins, as in transformers. */
function readOriginalMaxPositions(config: ConfigReader, section: ConfigReader): number {
  const field = "original_max_position_embeddings";
  if (config.has(field)) return config.size(field);
  return section.size(field, config.size("max_position_embeddings"));
}

function readLongRope(config: ConfigReader, section: ConfigReader, pairs: number): RopeScaling {
  const shortFactors = readFactors(section, "short_factor", pairs);
  const original = readOriginalMaxPositions(config, section);
  const factor = section.number("factor", config.size("max_position_embeddings") / original);
  const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  return { kind: "longrope", shortFactors, magnitude: section.number("attention_factor", inferred) };
}

function readFactors(section: ConfigReader, field: string, pairs: number): readonly number[] {
  const factors = section.numbers(field);
  if (factors.length === pairs) return factors;
  throw new SepError(
    "bad-checkpoint",
    `${section.path}: "${field}" has ${factors.length} numbers, expected ${pairs}, one for each rotated pair.`,
  );
}
