import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { EngineInfo } from "../messages.ts";
import type { Acts } from "../state.ts";

interface AskFormProps {
  /** null while the model is loading. */
  readonly info: EngineInfo | null;
  readonly question: string;
  readonly isBusy: boolean;
  readonly acts: Acts;
}

/** The question, and examples from the study, the surest first. */
export function AskForm({ info, question, isBusy, acts }: AskFormProps): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (field.current !== null) field.current.value = question;
  }, [question]);
  const submit = (event: Event): void => {
    event.preventDefault();
    const text = field.current?.value.trim() ?? "";
    if (text !== "") acts.ask(text);
  };
  return (
    <form class="ask" onSubmit={submit}>
      <label for="question">Question</label>
      <div class="line">
        <input id="question" ref={field} type="text" autocomplete="off" placeholder="What is 47 + 85?" />
        {isBusy ? (
          <button type="button" onClick={acts.stop}>
            Stop
          </button>
        ) : (
          <button type="submit" class="main" disabled={info === null}>
            Ask
          </button>
        )}
      </div>
      {info !== null && info.study.examples.length > 0 && (
        <p class="examples">
          <span class="quiet">From sure to unsure:</span>
          {info.study.examples.map((example) => (
            <button key={example} type="button" class="example" onClick={() => acts.ask(example)}>
              {example}
            </button>
          ))}
        </p>
      )}
    </form>
  );
}
