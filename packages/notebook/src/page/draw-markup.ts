import DOMPurify, { type Config } from "dompurify";
import { element } from "./element.ts";
import ownStyle from "./markup.css" with { type: "text" };

/**
 * Draws markup that may come from anybody: a cell that never ran, a model's answer, a result of an older visit.
 * It is sanitised, then put into a shadow root, and that into a frame with containment. So it runs no code, loads
 * nothing, leads nowhere without a click, its styles end at its own edge, and it cannot cover what is outside of it.
 * @param isSvg a chart, which may be wider than text
 */
export function drawMarkup(html: string, isSvg: boolean): HTMLElement {
  const fragment = DOMPurify.sanitize(html, POLICY);
  const sheets = [...fragment.querySelectorAll("style")].map(takeSheet);
  for (const link of fragment.querySelectorAll("a, area")) tameLink(link);
  for (const image of fragment.querySelectorAll("img, image, feImage")) tameImage(image);
  for (const part of fragment.querySelectorAll<HTMLElement | SVGElement>("*")) tameReferences(part);
  const content = element("div", { class: isSvg ? "chart" : "markup" });
  content.append(fragment);
  // the shadow's host can be styled from inside with `:host`; the frame around it cannot
  const host = element("div");
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [makeSheet(ownStyle), ...sheets];
  root.append(content);
  return element("div", { class: "markup-frame" }, host);
}

/** Turns a style element into a sheet of its own, which drops `@import` and ends with its own last rule. */
function takeSheet(style: Element): CSSStyleSheet {
  style.remove();
  const sheet = makeSheet(style.textContent ?? "", style.getAttribute("media") ?? "");
  dropGlobalRules(sheet);
  for (const rule of sheet.cssRules) tameRule(rule);
  return sheet;
}

function makeSheet(text: string, media = ""): CSSStyleSheet {
  const sheet = new CSSStyleSheet({ media });
  sheet.replaceSync(text);
  return sheet;
}

/** Keeps the rules that end with the shadow root; `@property` and `@font-face`, say, are the whole document's. */
function dropGlobalRules(group: CSSStyleSheet | CSSGroupingRule): void {
  for (let at = group.cssRules.length - 1; at >= 0; at -= 1) {
    const rule = group.cssRules[at];
    if (!LOCAL_RULES.some((kind) => rule instanceof kind)) group.deleteRule(at);
    else if (rule instanceof CSSGroupingRule && !(rule instanceof CSSStyleRule)) dropGlobalRules(rule);
  }
}

/** A link to another site opens beside the notebook and cannot reach back; any other leads nowhere here. */
function tameLink(link: Element): void {
  for (const name of ["href", "xlink:href"]) {
    const target = link.getAttribute(name);
    if (target !== null && !/^(?:https?:|mailto:)/i.test(target)) link.removeAttribute(name);
  }
  link.setAttribute("target", "_blank");
  link.setAttribute("rel", "noopener noreferrer");
}

/** A picture that is not in the markup itself would tell its server that the notebook was opened. */
function tameImage(image: Element): void {
  for (const name of ["src", "href", "xlink:href"])
    if (image.getAttribute(name)?.startsWith("data:image/") !== true) image.removeAttribute(name);
}

/** The same for what styles and drawings refer to; parts of the same drawing stay. */
function tameReferences(part: HTMLElement | SVGElement): void {
  if (part.hasAttribute("style")) tameDeclarations(part.style);
  for (const { name, value } of [...part.attributes])
    if (name !== "style" && REMOTE.test(value)) part.removeAttribute(name);
}

function tameRule(rule: CSSRule | CSSGroupingRule | CSSStyleRule): void {
  if ("style" in rule) tameDeclarations(rule.style);
  if ("cssRules" in rule) for (const inner of rule.cssRules) tameRule(inner);
}

function tameDeclarations(style: CSSStyleDeclaration): void {
  for (const name of [...style]) {
    const value = style.getPropertyValue(name);
    // custom properties keep escapes as they were written, which hide what they spell
    if (REMOTE.test(value) || (name.startsWith("--") && value.includes("\\"))) style.removeProperty(name);
  }
}

/** What CSS loads from elsewhere. */
const REMOTE = /\b(?:url|src|image-set|image)\((?!\s*["']?(?:#|data:image\/))/i;

const POLICY: Config & { RETURN_DOM_FRAGMENT: true } = {
  USE_PROFILES: { html: true, svg: true, svgFilters: true, mathMl: true },
  // inputs are the notebook's own, by view(…); the rest loads something or opens above the page
  FORBID_TAGS: [
    ...["form", "input", "button", "textarea", "select", "option", "optgroup", "datalist", "fieldset"],
    ...["dialog", "audio", "video", "source", "track", "picture", "canvas", "marquee", "template", "slot"],
  ],
  FORBID_ATTR: [
    ...["popover", "popovertarget", "popovertargetaction", "command", "commandfor"],
    ...["action", "formaction", "method", "ping", "srcset", "poster", "background", "usemap"],
    ...["accesskey", "autofocus", "contenteditable", "autoplay", "part", "exportparts", "slot"],
  ],
  // a style element at the beginning is kept
  FORCE_BODY: true,
  RETURN_DOM_FRAGMENT: true,
};

const LOCAL_RULES = [
  CSSStyleRule,
  CSSMediaRule,
  CSSSupportsRule,
  CSSContainerRule,
  CSSLayerBlockRule,
  CSSKeyframesRule,
] as const;
