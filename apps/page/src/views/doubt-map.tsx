import { Component, type JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { EngineInfo, ProbeInfo, Reading } from "../messages.ts";
import type { Acts, Answer, Link } from "../state.ts";
import { nameToken, showToken } from "./token-name.ts";

interface DoubtMapProps {
  readonly info: EngineInfo;
  readonly probe: ProbeInfo;
  readonly answer: Answer;
  readonly link: Link;
  readonly acts: Acts;
}

/** Layers x tokens: how risky each layer's probe finds the answer at each token. */
export function DoubtMap({ info, probe, answer, link, acts }: DoubtMapProps): JSX.Element {
  const { tokens, readings, verdict } = answer;
  const top = info.layers - 1;
  const layerOf = ({ layer: chosen }: Link): number => Math.min(top, chosen ?? probe.layer);
  const layer = layerOf(link);
  const last = readings.length - 2;
  const move = (event: KeyboardEvent): void => {
    const steps: Record<string, readonly [number, number]> = {
      ArrowRight: [1, 0],
      ArrowLeft: [-1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
    };
    const step = steps[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    acts.move((now) => ({
      at: Math.max(-1, Math.min(last, (now.at ?? -2) + step[0])),
      layer: Math.max(0, Math.min(top, layerOf(now) + step[1])),
    }));
  };
  const choose = ({ target }: Event): void => {
    const { at, layer: own } = target instanceof HTMLElement ? target.dataset : {};
    if (at !== undefined) acts.select(Number(at), own === undefined ? null : Number(own));
  };
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    showColumn(frame.current as HTMLDivElement);
  }, [link.at]);
  return (
    <section class="card">
      <h2>Where the doubt is</h2>
      <p class="quiet hint">
        A probe reads every layer at every token. It was fitted at the place called {probe.place} and does
        best at layer {probe.layer}; elsewhere it says what it would say if the answer had that place there.
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is of forms */}
      <div
        class="map"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys walk over its cells, and the line below says where
        tabIndex={0}
        role="group"
        aria-label={describeMap(info)}
        onKeyDown={move}
        onClick={choose}
        ref={frame}
      >
        <div class="layers" aria-hidden="true">
          {Array.from({ length: info.layers }, (_, row) => (
            <span key={row} class={top - row === layer ? "current" : ""}>
              {top - row}
            </span>
          ))}
          <span />
        </div>
        {readings.map((reading) => (
          <Column
            key={reading.index}
            reading={reading}
            text={reading.index < 0 ? "" : (tokens[reading.index]?.text ?? "")}
            selected={reading.index === link.at ? layer : null}
            isRead={reading.index === verdict?.readAt}
          />
        ))}
      </div>
      <p class="readout quiet" aria-live="polite">
        {describeCell(answer, link.at, layer)}
      </p>
    </section>
  );
}

interface ColumnProps {
  readonly reading: Reading;
  readonly text: string;
  /** The layer that is selected in this column. */
  readonly selected: number | null;
  readonly isRead: boolean;
}

/** Drawn again only when it has changed: every token adds a column, and there may be thousands of cells. */
class Column extends Component<ColumnProps> {
  override shouldComponentUpdate(next: ColumnProps): boolean {
    const { text, selected, isRead } = this.props;
    return next.text !== text || next.selected !== selected || next.isRead !== isRead;
  }

  override render({ reading, text, selected, isRead }: ColumnProps): JSX.Element {
    const { index, layers } = reading;
    return (
      <div
        class={`col${selected === null ? "" : " here"}${isRead ? " read" : ""}`}
        style={`--letters:${showToken(text).length}`}
        aria-hidden="true"
      >
        {layers
          .map((risk, layer) => (
            <i
              key={layer}
              class={layer === selected ? "current" : ""}
              style={risk === null ? undefined : `--risk:${risk.toFixed(3)}`}
              data-at={index}
              data-layer={layer}
            />
          ))
          .reverse()}
        <span data-at={index}>{index < 0 ? "?" : showToken(text)}</span>
      </div>
    );
  }
}

/** Scrolls the map, and not the page, to the selected column. */
function showColumn(frame: HTMLElement): void {
  const column = frame.querySelector<HTMLElement>(".here");
  if (column === null) return;
  const left = column.offsetLeft - frame.offsetLeft;
  const right = left + column.offsetWidth;
  if (left < frame.scrollLeft) frame.scrollLeft = left;
  else if (right > frame.scrollLeft + frame.clientWidth) frame.scrollLeft = right - frame.clientWidth;
}

const describeMap = (info: EngineInfo): string =>
  `Risk by layer, from ${info.layers - 1} at the top to 0, and by token; the arrow keys move`;

function describeCell({ tokens, readings }: Answer, at: number | null, layer: number): string {
  if (at === null) return "Choose a cell. The column ? is the end of the question.";
  const name = at < 0 ? "end of the question" : nameToken(tokens[at]?.text ?? "");
  const risk = readings[at + 1]?.layers[layer];
  return `Layer ${layer} at “${name}”: ${risk == null ? "no probe for this layer" : `risk ${risk.toFixed(2)}`}`;
}
