import type { JSX } from "preact";
import type { State } from "../state.ts";

const MB = 1e6;

/** Whether the model is there, and what it runs on. */
export function EngineStatus({ engine }: Pick<State, "engine">): JSX.Element {
  if (engine.phase === "failed")
    return (
      <p class="engine failure" role="alert">
        The model could not be opened: {engine.reason}
      </p>
    );
  if (engine.phase === "loading") {
    const { step, share, bytes } = engine;
    const size = bytes > 1 ? ` ${(bytes / MB).toFixed(1)} MB` : "";
    return (
      <p class="engine">
        <progress aria-label={`${step}${size}`} {...(share === null ? {} : { value: share })} />
        <span>
          {step}
          {size}
        </span>
      </p>
    );
  }
  const { model, parameters, device, because } = engine.info;
  return (
    <p class="engine">
      <span class="chip">
        <b>{model}</b> {describeCount(parameters)} parameters
      </span>
      <span class="chip">
        runs on <b>{device === "webgpu" ? "WebGPU" : "WebAssembly"}</b>
      </span>
      <span class="quiet">{because}</span>
    </p>
  );
}

const describeCount = (count: number): string =>
  count >= 1e9 ? `${(count / 1e9).toFixed(1)} billion` : `${(count / 1e6).toFixed(1)} million`;
