import type { Output } from "../wire.ts";
import { drawMarkup } from "./draw-markup.ts";

/** The one script of an exported page: it draws markup just as the notebook's page does. */
for (const data of document.querySelectorAll('script[type="application/json"]')) {
  const { html, isSvg = false } = JSON.parse(data.textContent ?? "") as Extract<Output, { kind: "html" }>;
  data.replaceWith(drawMarkup(html, isSvg));
}
