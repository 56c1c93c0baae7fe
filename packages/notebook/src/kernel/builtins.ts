import * as plotLibrary from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** Arguments of a notebook: `--k 20 --quick --name=x file` as `{ k: 20, quick: true, name: "x", _: ["file"] }`. */
type NotebookArguments = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Reads the arguments after `--` on the command line. What looks like a number is one. */
export function parseArguments(words: readonly string[]): NotebookArguments {
  const values: Record<string, string | number | boolean | string[]> = {};
  const rest: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as string;
    const [, name, , inline] = /^--([^=]+)(=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) rest.push(word);
    else if (inline !== undefined) values[name] = readWord(inline);
    else if (at + 1 < words.length && !/^--\D/.test(words[at + 1] as string)) {
      at += 1;
      values[name] = readWord(words[at] as string);
    } else values[name] = true;
  }
  return { ...values, _: rest };
}

const readWord = (word: string): string | number =>
  word.trim() !== "" && Number.isFinite(Number(word)) ? Number(word) : word;

type PlotLibrary = typeof plotLibrary;

/** Observable Plot with a document to draw into, as the kernel has none of its own. */
export function createPlot(): PlotLibrary {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const own = document as unknown as NonNullable<plotLibrary.PlotOptions["document"]>;
  const plot: PlotLibrary["plot"] = (options = {}) =>
    plotLibrary.plot({
      document: own,
      marginBottom: 42,
      ...options,
      x: { labelAnchor: "center", labelArrow: "none", labelOffset: 36, ...options.x },
      style: { background: "none", fontSize: "12px", ...(options.style as object) } as never,
    });
  const legend: PlotLibrary["legend"] = (options) =>
    plotLibrary.legend({ document: own, ...options } as typeof options);
  // `Plot.dot(…).plot()` reaches the library's own plot, which looks for the document of a page
  Object.assign(plotLibrary.Mark.prototype, {
    plot(this: plotLibrary.Markish, { marks = [], ...options }: plotLibrary.PlotOptions = {}) {
      return plot({ ...options, marks: [...marks, this] });
    },
  });
  return { ...plotLibrary, plot, legend };
}
