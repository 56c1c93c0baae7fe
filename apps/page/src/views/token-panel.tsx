import type { JSX } from "preact";
import { stepOf, wordOf } from "../decision.ts";
import { layOutFork } from "../fork-tree.ts";
import type { EngineInfo, Fork, Look } from "../messages.ts";
import type { Acts, Answer, State } from "../state.ts";
import { ForkDrawing } from "./fork-drawing.tsx";
import { nameToken, showToken } from "./token-name.ts";

interface TokenPanelProps {
  readonly info: EngineInfo;
  readonly state: State;
  readonly answer: Answer;
  readonly acts: Acts;
}

/** What there is to see at the selected token: where it might have led, and what each layer would say next. */
export function TokenPanel({ info, state, answer, acts }: TokenPanelProps): JSX.Element {
  const { link, fork, look } = state;
  if (link.at === null)
    return (
      <section class="card panel empty">
        <h2>What if?</h2>
        <p class="quiet">
          Choose a token, here or in the map. The model goes on from it ten times, and you see how many
          different things it would have said.
        </p>
        <button type="button" disabled={answer.readings.length === 0} onClick={() => acts.select(-1, null)}>
          Begin at the question
        </button>
      </section>
    );
  const { at } = link;
  const hasEnded = answer.verdict !== null && at >= answer.tokens.length - 1;
  const name = at < 0 ? "the question" : `“${nameToken(answer.tokens[at]?.text ?? "")}”`;
  return (
    <section class="card panel" aria-labelledby="panel-title">
      <h2 id="panel-title">What if it went on from {name}?</h2>
      {hasEnded ? (
        <p class="quiet">The answer ends here.</p>
      ) : fork === null ? (
        <p class="quiet waiting">Drawing ten continuations…</p>
      ) : (
        <Forked
          info={info}
          fork={fork}
          // behind the question, both are about the whole answer
          risk={(at < 0 ? answer.verdict?.risk : answer.readings[at + 1]?.risk) ?? null}
        />
      )}
      {look !== null && (
        <Layers
          look={look}
          info={info}
          answer={answer}
          layer={link.layer ?? info.probe?.layer ?? info.layers - 1}
          acts={acts}
        />
      )}
    </section>
  );
}

function Forked({
  info,
  fork,
  risk,
}: {
  readonly info: EngineInfo;
  readonly fork: Fork;
  readonly risk: number | null;
}): JSX.Element {
  const { samples, semanticEntropy, equivalence, durationMs } = fork;
  const tree = layOutFork(fork);
  const most = Math.log(samples.length);
  const { meanings } = tree;
  return (
    <>
      <div class="pair">
        <Measure
          label="Semantic entropy"
          value={`${semanticEntropy.toFixed(2)} nats`}
          share={semanticEntropy / most}
          note={`of at most ${most.toFixed(2)}, by sampling`}
        />
        {info.probe !== null && (
          <Measure
            label={fork.at < 0 ? "Probe, of the answer" : "Probe, at this token"}
            value={risk === null ? "unknown" : risk.toFixed(2)}
            share={risk ?? 0}
            note={risk === null ? "" : `${wordOf(risk)} risk, without sampling`}
            step={risk === null ? null : stepOf(risk)}
          />
        )}
      </div>
      <ForkDrawing tree={tree} samples={samples.length} />
      <p class="quiet" aria-live="polite">
        {meanings.length === 1 ? "One meaning" : `${meanings.length} meanings`} among {samples.length}{" "}
        continuations, {equivalence === "math" ? "compared as mathematics" : "compared by their words"}, in{" "}
        {Math.max(0.01, durationMs / 1000).toFixed(2)} s.{" "}
        {info.probe?.isCalibrated === true &&
          "Entropy says how much they disagree, the risk how likely the answer is to be wrong."}
      </p>
      <details>
        <summary>Read the continuations</summary>
        <ol class="continuations">
          {meanings.flatMap(({ members }, rank) =>
            members.map((member) => (
              <li key={member} data-meaning={rank % 6}>
                {samples[member]?.tokens.map(showToken).join("")}
              </li>
            )),
          )}
        </ol>
      </details>
    </>
  );
}

interface MeasureProps {
  readonly label: string;
  readonly value: string;
  /** In [0, 1]. */
  readonly share: number;
  readonly note: string;
  readonly step?: number | null;
}

const Measure = ({ label, value, share, note, step = null }: MeasureProps): JSX.Element => (
  <p class="measure">
    <span>{label}</span>
    <b>{value}</b>
    <i class={step === null ? "bar" : "bar warm"} style={`--share:${share.toFixed(3)}`} aria-hidden="true" />
    <span class="quiet">{note}</span>
  </p>
);

interface LayersProps {
  readonly look: Look;
  readonly info: EngineInfo;
  readonly answer: Answer;
  readonly layer: number;
  readonly acts: Acts;
}

/** Logit lens: each layer's next token; the last layer's are the model's own distribution. */
function Layers({ look, info, answer, layer, acts }: LayersProps): JSX.Element {
  const { at, layers } = look;
  const next = answer.tokens[at + 1]?.text;
  const risks = answer.readings[at + 1]?.layers ?? [];
  const top = layers.length - 1;
  return (
    <table class="lens">
      <caption>
        What each layer would say next{next === undefined ? "" : `; the model drew “${nameToken(next)}”`}
      </caption>
      <thead>
        <tr>
          <th scope="col">Layer</th>
          {info.probe !== null && <th scope="col">Risk</th>}
          <th scope="col">Next token, by logit lens</th>
        </tr>
      </thead>
      <tbody>
        {layers
          .map((tokens, row) => (
            <tr key={row} class={row === layer ? "current" : ""} onClick={() => acts.select(at, row)}>
              <th scope="row">
                {row}
                {row === top && <span class="quiet"> says it</span>}
                {row === info.probe?.layer && row !== top && <span class="quiet"> probe</span>}
              </th>
              {info.probe !== null && <td>{risks[row]?.toFixed(2) ?? "–"}</td>}
              <td>
                {tokens.filter(isLikely).map(({ text, probability }, rank) => (
                  <span
                    key={rank}
                    class={`guess${text === next ? " drawn" : ""}`}
                    style={`--share:${probability.toFixed(3)}`}
                  >
                    {showToken(text)} <small>{describeShare(probability)}</small>
                  </span>
                ))}
              </td>
            </tr>
          ))
          .reverse()}
      </tbody>
    </table>
  );
}

/** The likeliest token of a layer is shown however unlikely it is. */
const isLikely = ({ probability }: { readonly probability: number }, rank: number): boolean =>
  rank === 0 || probability >= 0.005;

const describeShare = (share: number): string =>
  share > 0.995 ? ">99%" : share < 0.01 ? "<1%" : `${Math.round(100 * share)}%`;
