import type { JSX } from "preact";
import type { EngineInfo } from "../messages.ts";
import type { Acts, Answer } from "../state.ts";

interface BlindSpotsProps {
  readonly info: EngineInfo;
  readonly answer: Answer;
  readonly acts: Acts;
}

/** What neither entropy nor the probe sees, with questions on which the model is wrong and sure of it. */
export function BlindSpots({ info, answer, acts }: BlindSpotsProps): JSX.Element {
  const { blindSpots } = info.study;
  return (
    <section class="card">
      <h2>What this cannot see</h2>
      <p>
        A model that is wrong in the same way every time does not disagree with itself: its semantic entropy
        is zero. Nor does a probe see what it was never shown.
      </p>
      {blindSpots.length > 0 && (
        <>
          <p class="quiet">Questions of the study that it always got wrong, with one voice and a low risk:</p>
          <ul class="blind">
            {blindSpots.map(({ question, answer: right }) => (
              <li key={question}>
                <button type="button" class="example" onClick={() => acts.ask(question)}>
                  {question}
                </button>
                <span class="quiet">
                  Right is <b>{right}</b>
                  {answer.question === question && answer.verdict !== null
                    ? "; look at what it says above."
                    : "."}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      {info.probe !== null && (
        <p class="quiet">
          The probe is a straight line through one layer of one model. Its promise covers questions like those
          of its study, and no others.
        </p>
      )}
    </section>
  );
}
