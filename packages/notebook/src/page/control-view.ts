import type { ControlSpec, ControlValue } from "../wire.ts";
import { element } from "./element.ts";
import { createTable } from "./table-view.ts";

/** An input on the page. */
export interface ControlView {
  readonly node: HTMLElement;
  /** Shows a value that came from elsewhere, unless the reader is just changing it. */
  show(value: ControlValue): void;
}

type Change = (value: ControlValue) => void;

/** Draws an input. @param change gets what the reader chooses */
export function createControl(spec: ControlSpec, value: ControlValue, change: Change): ControlView {
  const made = makeInput(spec, value, change);
  const isBare = spec.type === "button" || spec.type === "run-button" || spec.type === "table";
  const node = isBare
    ? element("div", { class: `control control-${spec.type}` }, made.node)
    : element(
        "label",
        { class: `control control-${spec.type}` },
        element("span", { class: "label" }, spec.label),
        made.node,
      );
  return { node, show: made.show };
}

function makeInput(spec: ControlSpec, value: ControlValue, change: Change): ControlView {
  switch (spec.type) {
    case "slider":
      return makeSlider(spec, value as number, change);
    case "number": {
      const input = element("input", {
        type: "number",
        min: spec.min > -1e300 ? spec.min : null,
        max: spec.max < 1e300 ? spec.max : null,
        step: spec.step,
        value: Number(value),
      });
      input.onchange = () => input.checkValidity() && input.value !== "" && change(input.valueAsNumber);
      return { node: input, show: (next) => setUnlessActive(input, String(next)) };
    }
    case "range":
      return makeRange(spec, value as readonly number[], change);
    case "select": {
      const select = element(
        "select",
        {},
        ...spec.options.map((word) => element("option", { value: word }, word)),
      );
      select.value = String(value);
      select.onchange = () => change(select.value);
      return { node: select, show: (next) => setUnlessActive(select, String(next)) };
    }
    case "multiselect":
      return makeMultiselect(spec.options, value as readonly string[], change);
    case "checkbox": {
      const input = element("input", { type: "checkbox", checked: value === true });
      input.onchange = () => change(input.checked);
      return {
        node: input,
        show: (next) => {
          input.checked = next === true;
        },
      };
    }
    case "text": {
      const input = element("input", { type: "text", placeholder: spec.placeholder, value: String(value) });
      input.oninput = () => change(input.value);
      return { node: input, show: (next) => setUnlessActive(input, String(next)) };
    }
    case "button":
    case "run-button":
      return makeButton(spec, value, change);
    case "file": {
      const input = element("input", { type: "file", accept: spec.accept });
      input.onchange = async () => {
        const file = input.files?.[0];
        if (file !== undefined) change({ name: file.name, base64: await toBase64(file) });
      };
      return { node: input, show: () => undefined };
    }
    case "table":
      return createTable(spec.table, {
        chosen: value as readonly number[],
        isMultiple: spec.isMultiple,
        label: spec.label,
        choose: change,
      });
  }
}

function makeSlider(
  { min, max, step }: { readonly min: number; readonly max: number; readonly step: number },
  value: number,
  change: Change,
): ControlView {
  const input = element("input", { type: "range", min, max, step, value });
  const shown = element("output", {}, String(value));
  const paint = (): void => {
    shown.textContent = String(input.valueAsNumber);
    input.style.setProperty("--filled", `${((input.valueAsNumber - min) / (max - min || 1)) * 100}%`);
  };
  input.oninput = () => {
    paint();
    change(input.valueAsNumber);
  };
  paint();
  return {
    node: element("span", { class: "slider-row" }, input, shown),
    show: (next) => {
      if (document.activeElement === input && document.hasFocus()) return;
      input.value = String(next);
      paint();
    },
  };
}

function makeRange(
  { min, max, step }: { readonly min: number; readonly max: number; readonly step: number },
  value: readonly number[],
  change: Change,
): ControlView {
  const [low, high] = [0, 1].map((end) =>
    element("input", {
      type: "number",
      min,
      max,
      step,
      value: value[end] ?? min,
      "aria-label": end === 0 ? "from" : "to",
    }),
  ) as [HTMLInputElement, HTMLInputElement];
  const tell = (): void => {
    if (low.checkValidity() && high.checkValidity() && low.valueAsNumber <= high.valueAsNumber)
      change([low.valueAsNumber, high.valueAsNumber]);
  };
  low.onchange = tell;
  high.onchange = tell;
  return {
    node: element("span", { class: "range-row" }, low, "–", high),
    show: (next) => {
      setUnlessActive(low, String((next as readonly number[])[0]));
      setUnlessActive(high, String((next as readonly number[])[1]));
    },
  };
}

function makeMultiselect(options: readonly string[], value: readonly string[], change: Change): ControlView {
  const boxes = options.map((word) =>
    element("input", { type: "checkbox", value: word, checked: value.includes(word) }),
  );
  const tell = (): void => change(boxes.flatMap((box) => (box.checked ? [box.value] : [])));
  for (const box of boxes) box.onchange = tell;
  return {
    node: element("span", { class: "choices" }, ...boxes.map((box) => element("label", {}, box, box.value))),
    show: (next) => {
      for (const box of boxes) box.checked = (next as readonly string[]).includes(box.value);
    },
  };
}

function makeButton(
  { type, label }: { readonly type: "button" | "run-button"; readonly label: string },
  value: ControlValue,
  change: Change,
): ControlView {
  let count = Number(value);
  const button = element("button", { type: "button", class: type === "run-button" ? "primary" : "" }, label);
  const show = (next: ControlValue): void => {
    count = Number(next);
    // a run button stays pressed while what it started runs
    button.classList.toggle("pressed", type === "run-button" && next === true);
  };
  button.onclick = () => {
    if (type === "run-button") return change(true);
    count += 1;
    change(count);
  };
  show(value);
  return { node: button, show };
}

function setUnlessActive(input: HTMLInputElement | HTMLSelectElement, value: string): void {
  if (document.activeElement !== input || !document.hasFocus()) input.value = value;
}

async function toBase64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000)
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}
