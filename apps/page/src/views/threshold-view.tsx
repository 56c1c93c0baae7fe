import type { JSX } from "preact";
import { percent, promiseAt, thresholdOf } from "../decision.ts";
import type { CurvePoint, EngineInfo } from "../messages.ts";
import type { Acts, Answer } from "../state.ts";

interface ThresholdViewProps {
  readonly info: EngineInfo;
  readonly answer: Answer;
  /** null for the study's own. */
  readonly chosen: number | null;
  readonly acts: Acts;
}

const STEP = 0.005;
const [WIDTH, HEIGHT] = [1000, 260];

/** The threshold, and what it promises by the study's calibration questions. */
export function ThresholdView({ info, answer, chosen, acts }: ThresholdViewProps): JSX.Element {
  const { curve, calibrationQuestions } = info.study;
  const threshold = thresholdOf(info, chosen) ?? 0;
  const { risk, coverage } = promiseAt(curve, threshold);
  const own = answer.verdict?.risk ?? null;
  const words = `Answering up to a risk of ${threshold.toFixed(2)}: at least ${percent(coverage)} of answers are given, at most ${percent(risk)} are given and wrong`;
  return (
    <section class="card">
      <h2>When to answer</h2>
      <p class="promise">
        <span>
          Give answers up to a risk of <b>{threshold.toFixed(2)}</b>
        </span>
        <span class="given">
          <b>{percent(coverage)}</b> are given, at least
        </span>
        <span class="wrong">
          <b>{percent(risk)}</b> are given and wrong, at most
        </span>
      </p>
      <div class="curve" aria-hidden="true">
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          <path class="given" d={drawSteps(curve, ({ coverage }) => coverage)} />
          <path class="wrong" d={drawSteps(curve, ({ risk }) => risk)} />
          <path class="cut" d={`M${threshold * WIDTH} 0V${HEIGHT}`} />
          {own !== null && <path class="own" d={`M${own * WIDTH} 0V${HEIGHT}`} />}
        </svg>
        <span class="end given" style={`--at:${endOf(curve, "coverage").toFixed(3)}`}>
          given
        </span>
        <span class="end wrong" style={`--at:${endOf(curve, "risk").toFixed(3)}`}>
          given and wrong
        </span>
        {own !== null && (
          <span class={`own${own > 0.7 ? " left" : ""}`} style={`--at:${own.toFixed(3)}`}>
            this answer
          </span>
        )}
      </div>
      <input
        type="range"
        min="0"
        max="1"
        step={STEP}
        value={threshold}
        aria-label="Highest risk at which an answer is given"
        aria-valuetext={words}
        onInput={({ currentTarget }) => acts.setThreshold(Number(currentTarget.value))}
      />
      <p class="axis quiet" aria-hidden="true">
        <span>0</span>
        <span>risk</span>
        <span>1</span>
      </p>
      <p class="quiet">
        By conformal risk control on {calibrationQuestions} questions that nothing was fitted on. It holds on
        average for new questions like them and answers sampled as here, for a threshold that is chosen before
        the answer is seen.
      </p>
    </section>
  );
}

/** Where a curve ends, at the right. */
const endOf = (curve: readonly CurvePoint[], name: "risk" | "coverage"): number => curve.at(-1)?.[name] ?? 0;

/** A curve that is level between its points. */
function drawSteps(curve: readonly CurvePoint[], read: (point: CurvePoint) => number): string {
  const y = (value: number): string => (HEIGHT * (1 - value)).toFixed(1);
  const steps = curve.map((point) => `H${(point.threshold * WIDTH).toFixed(1)}V${y(read(point))}`);
  return `M0 ${HEIGHT}${steps.join("")}H${WIDTH}`;
}
