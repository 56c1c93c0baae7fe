import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { stepOf, thresholdOf, wordOf } from "../decision.ts";
import type { EngineInfo, Token } from "../messages.ts";
import { type Acts, type Answer, isRunning, type Link } from "../state.ts";
import { nameToken } from "./token-name.ts";

interface AnswerViewProps {
  readonly info: EngineInfo;
  readonly answer: Answer;
  readonly link: Link;
  readonly acts: Acts;
}

/** The answer, each token tinted by the risk that the probe reads there, and the decision once it is complete. */
export function AnswerView({ info, answer, link, acts }: AnswerViewProps): JSX.Element {
  const { tokens, verdict } = answer;
  const last = tokens.length - 1;
  const move = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    const end = { Home: 0, End: last }[event.key];
    if (end === undefined && by === undefined) return;
    if (last < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    acts.move(({ at, layer }) => {
      const next = end ?? (at ?? -1) + (by ?? 0);
      return { at: Math.max(0, Math.min(last, next)), layer };
    });
  };
  const choose = ({ target }: Event): void => {
    const index = target instanceof HTMLElement ? target.dataset.index : undefined;
    if (index !== undefined) acts.select(Number(index), link.layer);
  };
  return (
    <section class="card answer" aria-busy={isRunning(answer)}>
      <h2>Answer</h2>
      <p class="quiet hint">
        Each token is tinted by what the probe says there. Choose one to see what would have happened from
        there on.
      </p>
      <div
        class="text"
        role="listbox"
        tabIndex={0}
        aria-label="Tokens of the answer; the arrow keys choose one"
        aria-activedescendant={link.at === null || link.at < 0 ? undefined : `token-${link.at}`}
        onKeyDown={move}
        onClick={choose}
      >
        {tokens.map((token) => (
          <TokenView
            key={token.index}
            token={token}
            risk={answer.readings[token.index + 1]?.risk ?? null}
            isSelected={token.index === link.at}
            isRead={token.index === verdict?.readAt}
          />
        ))}
      </div>
      <Legend />
      <Decision info={info} answer={answer} chosen={link.threshold} acts={acts} />
      <p class="unseen" role="status">
        {verdict === null ? "" : `Answer: ${verdict.text} ${describeDecision(info, answer, link.threshold)}`}
      </p>
    </section>
  );
}

interface TokenViewProps {
  readonly token: Token;
  readonly risk: number | null;
  readonly isSelected: boolean;
  readonly isRead: boolean;
}

function TokenView({ token, risk, isSelected, isRead }: TokenViewProps): JSX.Element {
  const name = `${nameToken(token.text)}, ${risk === null ? "not read yet" : `risk ${risk.toFixed(2)}`}`;
  return (
    <span
      id={`token-${token.index}`}
      role="option"
      aria-selected={isSelected}
      aria-label={name}
      title={name}
      class={`token${isRead ? " read" : ""}${token.delta === "" ? " silent" : ""}`}
      data-step={risk === null ? undefined : stepOf(risk)}
      data-index={token.index}
      tabIndex={-1}
    >
      {token.delta === "" ? "•" : token.delta}
    </span>
  );
}

const Legend = (): JSX.Element => (
  <p class="legend">
    <span class="quiet">Risk</span>
    {[0, 1, 2, 3, 4].map((step) => (
      <span key={step} class="swatch" data-step={step}>
        {step === 0 ? "0" : (step / 5).toFixed(1)}
        <span class="unseen"> and above: {wordOf(step / 5 + 0.05)}</span>
      </span>
    ))}
    <span class="swatch read">read here</span>
  </p>
);

type DecisionProps = Pick<AnswerViewProps, "info" | "answer" | "acts"> & { readonly chosen: number | null };

function Decision({ info, answer, chosen, acts }: DecisionProps): JSX.Element | null {
  const { verdict, failure } = answer;
  if (failure !== null) return <p class="failure">{failure}</p>;
  if (verdict === null) return null;
  const { risk, isUnfamiliar, tokensPerSecond } = verdict;
  return (
    <div class="judged">
      <p class="risk" data-step={risk === null ? undefined : stepOf(risk)}>
        <b>{risk === null ? "unknown" : risk.toFixed(2)}</b> {risk === null ? "" : wordOf(risk)} risk
      </p>
      <div>
        <p class="decision">{describeDecision(info, answer, chosen)}</p>
        <p class="quiet">
          {info.probe.isCalibrated
            ? "The risk is the probability that the answer is wrong, calibrated on other questions. "
            : "The probe is not calibrated: its scores rank answers. "}
          {isUnfamiliar &&
            "The question is unlike those that the probe was trained on, so do not rely on it. "}
          {Math.round(tokensPerSecond)} tokens a second.
        </p>
      </div>
      <p class="actions">
        <button type="button" onClick={acts.again}>
          Another answer
        </button>
        <CopyLink copy={acts.copyLink} />
      </p>
    </div>
  );
}

/** Says that it has, until the pointer or the focus leaves it. */
function CopyLink({ copy }: { readonly copy: () => void }): JSX.Element {
  const [isDone, setDone] = useState(false);
  const press = (): void => {
    copy();
    setDone(true);
  };
  const leave = (): void => setDone(false);
  return (
    <button type="button" onClick={press} onBlur={leave} onPointerLeave={leave}>
      <span aria-live="polite">{isDone ? "Link copied" : "Copy link"}</span>
    </button>
  );
}

function describeDecision(info: EngineInfo, { verdict }: Answer, chosen: number | null): string {
  const threshold = thresholdOf(info, chosen);
  if (verdict === null || threshold === null) return "No decision: the probe has no threshold.";
  const { risk } = verdict;
  if (risk === null)
    return `Do not give this answer: it has no token that the probe reads (${info.probe.place}).`;
  return risk <= threshold
    ? `Give this answer: its risk is at most ${threshold.toFixed(2)}.`
    : `Do not give this answer: its risk is above ${threshold.toFixed(2)}.`;
}
