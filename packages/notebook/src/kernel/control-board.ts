import type { ControlValue } from "../wire.ts";
import { type Control, checkValue } from "./controls.ts";
import type { KernelSettings } from "./messages.ts";

/** What `view` gives to the cell that made an input; other cells get the input's value. */
class ControlBinding {
  readonly key: string;

  constructor(key: string) {
    this.key = key;
  }
}

/** What the board needs of the scheduler. */
interface ControlHost {
  isPending(id: number): boolean;
  readersOf(name: string): readonly number[];
  /** Changes a name and runs what reads it. */
  setValue(name: string, value: unknown): void;
  /** Changes a name and runs nothing. */
  setQuietly(name: string, value: unknown): void;
  changed(key: string, value: ControlValue): void;
}

/** The inputs of a notebook and their values, which outlive the runs of the cells that made them. */
export interface ControlBoard {
  /** A run of a cell begins: its inputs are counted from the first. */
  beginCell(id: number): {
    add(control: Control): {
      readonly key: string;
      readonly value: ControlValue;
      readonly binding: ControlBinding;
    };
  };
  /** What other cells get for a name that a cell defined. */
  bind(name: string, id: number, value: unknown): unknown;
  /** @throws RangeError for a value that the input cannot have, and for an input that is not there */
  set(key: string, value: ControlValue): void;
  /** Called when something settles: run buttons whose work is done become false again. */
  settle(): void;
}

interface Entry {
  control: Control;
  value: ControlValue;
  readonly names: Set<string>;
}

export function createControlBoard(
  { controls, pressesRunButtons }: Pick<KernelSettings, "controls" | "pressesRunButtons">,
  host: ControlHost,
): ControlBoard {
  /** Values from before, by key; those of inputs that are not made yet too. */
  const kept = new Map<string, ControlValue>(controls);
  const entries = new Map<string, Entry>();
  const pressed = new Set<string>();

  function startValue(key: string, control: Control): ControlValue {
    if (control.spec.type === "run-button") return pressesRunButtons || pressed.has(key);
    const before = kept.get(key);
    if (before === undefined) return control.initial;
    try {
      return checkValue(control.spec, before);
    } catch {
      // the cell was changed, and the old value is none of the new input's
      return control.initial;
    }
  }

  return {
    beginCell(id) {
      let count = 0;
      return {
        add(control) {
          const key = `${id}:${count}`;
          count += 1;
          const value = startValue(key, control);
          entries.set(key, { control, value, names: new Set() });
          return { key, value, binding: new ControlBinding(key) };
        },
      };
    },
    bind(name, _id, value) {
      if (!(value instanceof ControlBinding)) return value;
      const entry = entries.get(value.key) as Entry;
      entry.names.add(name);
      return entry.control.read(entry.value);
    },
    set(key, value) {
      const entry = entries.get(key);
      if (entry === undefined) {
        throw new RangeError(
          `There is no input ${key}, expected one of ${[...entries.keys()].join(", ") || "none, since no cell with inputs has run yet"}.`,
        );
      }
      const { control, names } = entry;
      entry.value = checkValue(control.spec, value);
      if (control.spec.type === "run-button") {
        if (value !== true) return;
        pressed.add(key);
      } else kept.set(key, entry.value);
      host.changed(key, entry.value);
      for (const name of names) host.setValue(name, control.read(entry.value));
    },
    settle() {
      for (const key of pressed) {
        const { names } = entries.get(key) as Entry;
        if ([...names].some((name) => host.readersOf(name).some((id) => host.isPending(id)))) continue;
        pressed.delete(key);
        (entries.get(key) as Entry).value = false;
        for (const name of names) host.setQuietly(name, false);
        host.changed(key, false);
      }
    },
  };
}
