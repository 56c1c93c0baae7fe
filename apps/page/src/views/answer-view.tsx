import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { stepOf, thresholdOf, wordOf } from "../decision.ts";
import type { EngineInfo, Token } from "../messages.ts";
import { type Acts, type Answer, isRunning, type Link } from "../state.ts";
import { nameToken } from "./token-name.ts";

interface AnswerViewProps {
  readonly info: EngineInfo;
  /** Whether the reader chose the model, which no link can hold. */
  readonly isOwn: boolean;
  readonly answer: Answer;
  readonly link: Link;
  readonly acts: Acts;
}

/** The answer, each token tinted by the risk that the probe reads there, and the decision once it is complete. */
export function AnswerView({ info, isOwn, answer, link, acts }: AnswerViewProps): JSX.Element {
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
        {info.probe === null
          ? "This model has no probe. Each token is tinted by how improbable the model found it."
          : "Each token is tinted by the risk that the probe reads there."}{" "}
        Choose one to see what else might have followed.
      </p>
      <div
        class="text"
        role="listbox"
        tabIndex={0}
        aria-label="Tokens of the answer; the arrow keys choose one"
        aria-orientation="horizontal"
        aria-activedescendant={link.at === null || link.at < 0 ? undefined : `token-${link.at}`}
        onKeyDown={move}
        onClick={choose}
      >
        {tokens.map((token) => (
          <TokenView
            key={token.index}
            token={token}
            tint={
              info.probe === null
                ? 1 - Math.exp(token.logprob)
                : (answer.readings[token.index + 1]?.risk ?? null)
            }
            of={info.probe === null ? "improbability" : "risk"}
            isSelected={token.index === link.at}
            isRead={token.index === verdict?.readAt}
          />
        ))}
      </div>
      <Legend of={info.probe === null ? "Improbability" : "Risk"} />
      <Decision info={info} isOwn={isOwn} answer={answer} chosen={link.threshold} acts={acts} />
      <p class="unseen" role="status">
        {verdict === null ? "" : readOut(info, answer, link.threshold)}
      </p>
    </section>
  );
}

interface TokenViewProps {
  readonly token: Token;
  /** In [0, 1]; null before it is known. */
  readonly tint: number | null;
  /** What the tint says. */
  readonly of: string;
  readonly isSelected: boolean;
  readonly isRead: boolean;
}

function TokenView({ token, tint, of, isSelected, isRead }: TokenViewProps): JSX.Element {
  const name = `${nameToken(token.text)}, ${tint === null ? "not read yet" : `${of} ${tint.toFixed(2)}`}`;
  return (
    <span
      id={`token-${token.index}`}
      role="option"
      aria-selected={isSelected}
      aria-label={name}
      title={name}
      class={`token${isRead ? " read" : ""}${token.delta === "" ? " silent" : ""}`}
      data-step={tint === null ? undefined : stepOf(tint)}
      data-index={token.index}
      tabIndex={-1}
    >
      {token.delta === "" ? "•" : token.delta}
    </span>
  );
}

const Legend = ({ of }: { readonly of: string }): JSX.Element => (
  <p class="legend">
    <span class="quiet">{of}</span>
    {[0, 1, 2, 3, 4].map((step) => (
      <span key={step} class="swatch" data-step={step}>
        {step === 0 ? "0" : (step / 5).toFixed(1)}
        <span class="unseen"> and above: {wordOf(step / 5 + 0.05)}</span>
      </span>
    ))}
    {of === "Risk" && <span class="swatch read">read here</span>}
  </p>
);

type DecisionProps = Pick<AnswerViewProps, "info" | "isOwn" | "answer" | "acts"> & {
  readonly chosen: number | null;
};

function Decision({ info, isOwn, answer, chosen, acts }: DecisionProps): JSX.Element | null {
  const { verdict, failure } = answer;
  if (failure !== null) return <p class="failure">{failure}</p>;
  if (verdict === null) return null;
  const { risk, isUnfamiliar, tokensPerSecond } = verdict;
  return (
    <div class="judged">
      {info.probe !== null && (
        <p class="risk" data-step={risk === null ? undefined : stepOf(risk)}>
          <b>{risk === null ? "unknown" : risk.toFixed(2)}</b> {risk === null ? "" : wordOf(risk)} risk
        </p>
      )}
      <div>
        <p class="decision">{describeDecision(info, answer, chosen)}</p>
        <p class="quiet">
          {info.probe?.isCalibrated === true &&
            "The risk is the probability that the answer is wrong, calibrated on other questions. "}
          {info.probe?.isCalibrated === false && "The probe is not calibrated: its scores rank answers. "}
          {isUnfamiliar &&
            "The question is unlike those that the probe was trained on, so do not rely on it. "}
          {Math.round(tokensPerSecond)} tokens a second.
        </p>
      </div>
      <p class="actions">
        <button type="button" onClick={acts.again}>
          Another answer
        </button>
        {!isOwn && <CopyLink copy={acts.copyLink} />}
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

/** What a screen reader says once the answer is complete. */
function readOut(info: EngineInfo, answer: Answer, chosen: number | null): string {
  const { finalText = "", risk = null } = answer.verdict ?? {};
  const said = finalText === "" ? "There is no answer after the reasoning." : `Answer: ${finalText}.`;
  const risky = risk === null ? "" : ` Risk ${risk.toFixed(2)}, ${wordOf(risk)}.`;
  return `${said}${risky} ${describeDecision(info, answer, chosen)}`;
}

function describeDecision(info: EngineInfo, { verdict }: Answer, chosen: number | null): string {
  const threshold = thresholdOf(info, chosen);
  if (info.probe === null) return "No decision: this model has no probe.";
  if (verdict === null || threshold === null) return "No decision: the probe has no threshold.";
  const { risk } = verdict;
  if (risk === null)
    return `Do not give this answer: it has no token that the probe reads (${info.probe.place}).`;
  return risk <= threshold
    ? `Give this answer: its risk is at most ${threshold.toFixed(2)}.`
    : `Do not give this answer: its risk of ${apart(risk, threshold)} is above ${apart(threshold, risk)}.`;
}

/** A number with two digits, or as many as tell it from another one. */
function apart(value: number, other: number): string {
  const digits = [2, 3, 4, 5].find((count) => value.toFixed(count) !== other.toFixed(count));
  return value.toFixed(digits ?? 2);
}
