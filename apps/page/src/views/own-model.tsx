import type { JSX } from "preact";
import type { Acts, State } from "../state.ts";

interface OwnModelProps extends Pick<State, "isOwn" | "engine"> {
  readonly acts: Acts;
}

/** Takes a model from the reader's disk, and gives the page's own back. */
export function OwnModel({ isOwn, engine, acts }: OwnModelProps): JSX.Element {
  const choose = ({ currentTarget }: { readonly currentTarget: HTMLInputElement }): void => {
    const files = [...(currentTarget.files ?? [])];
    // so that the same files can be chosen again
    currentTarget.value = "";
    if (files.length > 0) acts.openModel(files);
  };
  return (
    <details class="own-model" open={isOwn && engine.phase === "failed"}>
      <summary>Use a model of your own</summary>
      <p>
        Choose the files of a model in Hugging Face format: <code>config.json</code>,{" "}
        <code>tokenizer.json</code> and <code>model.safetensors</code>, and where there are any,{" "}
        <code>tokenizer_config.json</code>, <code>generation_config.json</code> and{" "}
        <code>chat_template.jinja</code>. With <code>accuracy_probe.json</code> and{" "}
        <code>accuracy_probe.safetensors</code> of a study, its risk is shown, too. Or choose the{" "}
        <code>model.zip</code> of a page that <code>npx sep page --study DIR --out SITE</code> has made. The
        files are read here and sent nowhere.
      </p>
      <p class="actions">
        <input type="file" multiple aria-label="Files of the model" onChange={choose} />
        {isOwn && (
          <button type="button" onClick={() => acts.openModel(null)}>
            Back to this page's model
          </button>
        )}
      </p>
    </details>
  );
}
