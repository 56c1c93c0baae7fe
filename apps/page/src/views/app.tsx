import type { JSX } from "preact";
import { type Acts, isRunning, type State } from "../state.ts";
import { AnswerView } from "./answer-view.tsx";
import { AskForm } from "./ask-form.tsx";
import { BlindSpots } from "./blind-spots.tsx";
import { DoubtMap } from "./doubt-map.tsx";
import { EngineStatus } from "./engine-status.tsx";
import { ThresholdView } from "./threshold-view.tsx";
import { TokenPanel } from "./token-panel.tsx";

export function App({ state, acts }: { readonly state: State; readonly acts: Acts }): JSX.Element {
  const { engine, answer, link } = state;
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
              <AnswerView info={info} answer={answer} link={link} acts={acts} />
              <DoubtMap info={info} answer={answer} link={link} acts={acts} />
            </div>
            <TokenPanel info={info} state={state} answer={answer} acts={acts} />
            {info.study.curve.length > 0 && (
              <ThresholdView info={info} answer={answer} chosen={link.threshold} acts={acts} />
            )}
            <BlindSpots info={info} answer={answer} acts={acts} />
          </div>
        )}
      </main>
      <footer>
        <p>
          Nothing that you type leaves this page. It is part of{" "}
          <strong>Semantic Entropy Probes for TypeScript</strong>;{" "}
          <code>npx sep page --study DIR --out SITE</code> makes one of your own model.
        </p>
      </footer>
    </>
  );
}
