import { expect, it } from "vitest";
import { html, Markup, md } from "./show-value.ts";

it("md renders Markdown, with values as text and markup as it is", () => {
  const answer = "**no** <script>alert(1)</script> [x](y)";
  const { markup } = md`# Title ${1 + 1}

${answer} and ${new Markup("<b>kept</b>")}`;
  expect(markup).toBe(
    "<h1>Title 2</h1>\n<p>**no** &lt;script&gt;alert(1)&lt;/script&gt; [x](y) and <b>kept</b></p>\n",
  );
});

it("tags in Markdown stay text, and links cannot run code", () => {
  expect(md`<img src=x onerror=alert(1)> [a](javascript:alert(1))`.markup).not.toMatch(
    /<img|href="javascript/,
  );
});

it("html escapes values in text and attributes, and takes lists of markup", () => {
  const items = ["a<b", 'c"d'].map((text) => html`<li title="${text}">${text}</li>`);
  expect(html`<ul>${items}${null}${undefined}</ul>`.markup).toBe(
    '<ul><li title="a&#60;b">a&#60;b</li><li title="c&#34;d">c&#34;d</li></ul>',
  );
});
