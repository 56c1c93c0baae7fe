import type { ControlValue, TableOutput } from "../wire.ts";
import { element } from "./element.ts";

/** How rows can be chosen; without it a table only shows them. */
interface TableChoice {
  readonly chosen: readonly number[];
  readonly isMultiple: boolean;
  readonly label: string;
  choose(rows: readonly number[]): void;
}

/** A table on the page. */
interface TableView {
  readonly node: HTMLElement;
  /** Shows which rows are chosen. */
  show(rows: ControlValue): void;
}

/** A table in pages, sorted by the column that is clicked. */
export function createTable(table: TableOutput, choice: TableChoice | null = null): TableView {
  const chosen = new Set(choice?.chosen ?? []);
  let order = table.rows.map((_row, at) => at);
  let page = 0;
  let sorted: { readonly column: number; readonly isDown: boolean } | null = null;
  const body = element("tbody");
  const head = element("tr");
  const foot = element("div", { class: "table-foot" });
  const pages = Math.max(1, Math.ceil(order.length / PAGE_ROWS));

  function draw(): void {
    head.replaceChildren(
      ...(choice === null ? [] : [element("th", { class: "pick" })]),
      ...table.columns.map(drawHead),
    );
    body.replaceChildren(...order.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS).map(drawRow));
    foot.replaceChildren(...drawFoot());
  }
  function drawHead({ name, isNumeric }: TableOutput["columns"][number], column: number): HTMLElement {
    const isOwn = sorted?.column === column;
    const sort = isOwn ? (sorted?.isDown ? "descending" : "ascending") : "none";
    const button = element(
      "button",
      { type: "button", onclick: () => sortBy(column) },
      name,
      isOwn ? (sorted?.isDown ? " ↓" : " ↑") : "",
    );
    return element("th", { scope: "col", "aria-sort": sort, class: isNumeric ? "numeric" : "" }, button);
  }
  function drawRow(at: number): HTMLElement {
    const row = table.rows[at] as readonly string[];
    const cells = row.map((text, column) =>
      element(
        "td",
        { class: table.columns[column]?.isNumeric ? "numeric" : "", title: text.length > 60 ? text : null },
        text,
      ),
    );
    if (choice === null) return element("tr", {}, ...cells);
    const pick = element("input", {
      type: choice.isMultiple ? "checkbox" : "radio",
      checked: chosen.has(at),
      "aria-label": `row ${at + 1}`,
    });
    const toggle = (): void => {
      const isIn = chosen.has(at);
      if (!choice.isMultiple) chosen.clear();
      if (isIn) chosen.delete(at);
      else chosen.add(at);
      draw();
      choice.choose([...chosen].sort((a, b) => a - b));
    };
    pick.onclick = (event) => event.stopPropagation();
    pick.onchange = toggle;
    return element(
      "tr",
      { class: chosen.has(at) ? "chosen" : "", onclick: toggle },
      element("td", { class: "pick" }, pick),
      ...cells,
    );
  }
  function drawFoot(): (HTMLElement | string)[] {
    const { total } = table;
    const cut = total > table.rows.length ? `, the first ${table.rows.length} of ${total}` : "";
    const count = element(
      "span",
      {},
      `${table.rows.length} ${table.rows.length === 1 ? "row" : "rows"}${cut}${chosen.size > 0 ? `, ${chosen.size} chosen` : ""}`,
    );
    if (pages === 1) return table.rows.length > 8 || choice !== null ? [count] : [];
    const turn = (by: number, text: string): HTMLElement =>
      element(
        "button",
        {
          type: "button",
          disabled: page + by < 0 || page + by >= pages,
          onclick: () => {
            page += by;
            draw();
          },
        },
        text,
      );
    return [
      count,
      element("span", { class: "pages" }, turn(-1, "‹ Back"), ` ${page + 1} / ${pages} `, turn(1, "Next ›")),
    ];
  }
  function sortBy(column: number): void {
    sorted = { column, isDown: sorted?.column === column ? !sorted.isDown : false };
    const { isDown } = sorted;
    const isNumeric = table.columns[column]?.isNumeric === true;
    const keyOf = (at: number): string => table.rows[at]?.[column] ?? "";
    const compare = (a: number, b: number): number =>
      isNumeric ? (Number(keyOf(a)) || 0) - (Number(keyOf(b)) || 0) : keyOf(a).localeCompare(keyOf(b));
    order = [...order].sort((a, b) => (isDown ? compare(b, a) : compare(a, b)));
    page = 0;
    draw();
  }

  draw();
  return {
    node: element(
      "div",
      { class: "table" },
      choice?.label ? element("div", { class: "label" }, choice.label) : null,
      element(
        "div",
        { class: "table-scroll", tabindex: 0, role: "region", "aria-label": choice?.label || "Table" },
        element("table", {}, element("thead", {}, head), body),
      ),
      foot,
    ),
    show(value: ControlValue) {
      chosen.clear();
      for (const at of value as readonly number[]) chosen.add(at);
      draw();
    },
  };
}

const PAGE_ROWS = 12;
