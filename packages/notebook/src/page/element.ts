type Child = Node | string | null;

/** What an element is made with: attributes, listeners as `onclick`, and `class`. */
type ElementProperties = Readonly<
  Record<string, string | number | boolean | null | undefined | ((event: never) => void)>
>;

/** Makes an element. `true` sets an attribute, `false` leaves it out. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: ElementProperties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  setProperties(made, properties);
  for (const child of children) if (child !== null) made.append(child);
  return made;
}

/** The same for SVG. */
export function svgElement(
  name: string,
  properties: ElementProperties = {},
  ...children: readonly Child[]
): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  setProperties(made, properties);
  for (const child of children) if (child !== null) made.append(child);
  return made;
}

/** A small picture in a button; the button's label says what it does. */
export const icon = (path: string): SVGElement =>
  svgElement(
    "svg",
    { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    svgElement("path", {
      d: path,
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.5,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
    }),
  );

function setProperties(made: Element, properties: ElementProperties): void {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value as EventListener);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
}
