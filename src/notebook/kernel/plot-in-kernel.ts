import * as plotLibrary from "@observablehq/plot";
import { parseHTML } from "linkedom";

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
