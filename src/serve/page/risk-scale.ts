import { element } from "./element.ts";

/** What a probe says where it was read; the risk is null for a probe without a calibration map. */
export interface Reading {
  readonly score: number;
  readonly risk: number | null;
}

/**
 * Five steps, told apart by one hue's lightness and by the line below the text: colour alone would not do for everybody.
 */
const STEPS = ["very low", "low", "medium", "high", "very high"] as const;

/** @param value in [0, 1] */
export const stepOf = (value: number): number => Math.min(STEPS.length - 1, Math.floor(value * STEPS.length));

export const wordOf = (value: number): string => STEPS[stepOf(value)] as string;

export const shownValue = ({ risk, score }: Reading): number => risk ?? score;

/** Two decimals: no probe is calibrated more finely. */
export const describeReading = (reading: Reading): string =>
  `${reading.risk === null ? "score" : "risk"} ${shownValue(reading).toFixed(2)}`;

/** The steps with their colours, and the sign of where the risk was read. */
export function drawLegend(at: HTMLElement): void {
  at.append(
    element("span", {}, "Risk"),
    ...STEPS.map((word, step) =>
      element(
        "span",
        { class: "swatch", "data-step": step },
        step === 0 ? "0" : (step / STEPS.length).toFixed(1),
        element("span", { class: "unseen" }, ` and above: ${word}`),
      ),
    ),
    element("span", { class: "swatch read" }, "read here"),
  );
}
