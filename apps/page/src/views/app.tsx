import type { JSX } from "preact";
import { type Acts, isRunning, type State } from "../state.ts";
import { AnswerView } from "./answer-view.tsx";
import { AskForm } from "./ask-form.tsx";
import { BlindSpots } from "./blind-spots.tsx";
import { DoubtMap } from "./doubt-map.tsx";
import { EngineStatus } from "./engine-status.tsx";
import { OwnModel } from "./own-model.tsx";
import { ThresholdView } from "./threshold-view.tsx";
import { TokenPanel } from "./token-panel.tsx";

export function App({ state, acts }: { readonly state: State; readonly acts: Acts }): JSX.Element {
  const { engine, answer, link, isOwn } = state;
  const info = engine.phase === "ready" ? engine.info : null;
  return (
    <>
      <header>
        <h1>See doubt</h1>
        <p class="lead">
          A language model runs in this page. Watch what it knows about its own answers while it writes them.
        </p>
        <EngineStatus engine={engine} />
      </header>
      <main>
        <AskForm info={info} question={link.question} isBusy={isRunning(answer)} acts={acts} />
        {info !== null && answer !== null && (
          <div class="study">
            <div class="column">
              <AnswerView info={info} isOwn={isOwn} answer={answer} link={link} acts={acts} />
              {info.probe !== null && (
                <DoubtMap info={info} probe={info.probe} answer={answer} link={link} acts={acts} />
              )}
            </div>
            <TokenPanel info={info} state={state} answer={answer} acts={acts} />
            {info.study.curve.length > 0 && (
              <ThresholdView info={info} answer={answer} chosen={link.threshold} acts={acts} />
            )}
            <BlindSpots info={info} answer={answer} acts={acts} />
          </div>
        )}
        {answer === null && <Welcome />}
        <OwnModel isOwn={isOwn} engine={engine} acts={acts} />
      </main>
      <footer>
        <p>
          Nothing that you type leaves this page. The page is part of{" "}
          <strong>Semantic Entropy Probes for TypeScript</strong>;{" "}
          <code>npx sep page --study DIR --out SITE</code> makes one of your own model.
        </p>
      </footer>
    </>
  );
}

/** What there is to see, before there is an answer. */
const Welcome = (): JSX.Element => (
  <ul class="welcome">
    <li>
      <h2>Watch it doubt</h2>
      <p>
        A probe reads the model's hidden states and says at every token how likely the answer is to be wrong.
        It costs next to nothing.
      </p>
    </li>
    <li>
      <h2>Ask what else it might say</h2>
      <p>
        Ten continuations fork from any token and fall into meanings. Their semantic entropy says how much
        they disagree.
      </p>
    </li>
    <li>
      <h2>Decide when to answer</h2>
      <p>
        A threshold on the risk comes with a promise: how many answers are given at least, and how many are
        given and wrong at most.
      </p>
    </li>
  </ul>
);
