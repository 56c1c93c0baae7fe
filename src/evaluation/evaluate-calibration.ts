import { applyCalibration, type CalibrationMap } from "../probes/calibration.ts";
import { brierScore, expectedCalibrationError, type ReliabilityBin, reliabilityBins } from "./calibration.ts";

/** How good probabilities are as such. */
export interface CalibrationQuality {
  readonly ece: number;
  readonly brier: number;
  /** Those that hold rows. */
  readonly bins: readonly ReliabilityBin[];
}

/** A probe's probabilities as they are, and after each map; null for a map that there is not. */
export interface CalibrationEvaluation extends CalibrationQuality {
  readonly platt: CalibrationQuality | null;
  readonly isotonic: CalibrationQuality | null;
}

/** The maps of one probe, fitted on validation rows; null where they could not be fitted. */
export interface CalibrationMaps {
  readonly platt: CalibrationMap | null;
  readonly isotonic: CalibrationMap | null;
}

/**
 * @param probabilities [n] of label 1; rows where it is NaN are left out
 * @param labels        [n]
 * @param maps          fitted on other rows than these
 * @returns null if no row has a probability
 */
export function evaluateCalibration(
  probabilities: Float64Array,
  labels: Uint8Array,
  maps: CalibrationMaps,
): CalibrationEvaluation | null {
  const rows = Array.from(probabilities.keys()).filter((row) => !Number.isNaN(probabilities[row]));
  if (rows.length === 0) return null;
  const own = rows.map((row) => probabilities[row]!);
  const ownLabels = rows.map((row) => labels[row]!);
  const after = (map: CalibrationMap | null): CalibrationQuality | null =>
    map === null
      ? null
      : measureQuality(
          own.map((probability) => applyCalibration(map, probability)),
          ownLabels,
        );
  return {
    ...measureQuality(own, ownLabels),
    platt: after(maps.platt),
    isotonic: after(maps.isotonic),
  };
}

const measureQuality = (probabilities: readonly number[], labels: readonly number[]): CalibrationQuality => ({
  ece: expectedCalibrationError(probabilities, labels),
  brier: brierScore(probabilities, labels),
  bins: reliabilityBins(probabilities, labels),
});
