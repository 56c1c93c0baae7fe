import { PALETTE } from "./palette.ts";

/** The report's style: one readable column, light or dark as the reader's system is, also on a phone and on paper. */
export const STYLE_SHEET: string = `
${PALETTE}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header { max-width: 60rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
main { padding-bottom: 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .75rem; letter-spacing: -.005em; }
h3 { font-size: 1rem; margin: 1.2rem 0 .25rem; overflow-wrap: anywhere; white-space: pre-wrap; }
p { margin: .5rem 0; max-width: 44rem; }
.lead { font-size: 1.1rem; }
.quiet { color: var(--quiet); font-size: .9em; font-weight: 400; }
.warnings { background: var(--warn); color: var(--warn-ink); border-radius: .5rem; padding: .9rem 1.1rem; margin: 1.5rem 0; }
.warnings h2 { margin: 0 0 .3rem; font-size: 1.05rem; }
.warnings ul { margin: 0; padding-left: 1.2rem; }
.wide { position: relative; overflow-x: auto; margin: .4rem 0 1.75rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .93rem; }
caption { text-align: left; padding: 0 0 .5rem; }
th, td { padding: .38rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { font-weight: 600; color: var(--quiet); font-size: .85rem; }
tbody th { font-weight: 500; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.group th { color: var(--quiet); font-size: .85rem; padding-top: .9rem; font-weight: 600; }
.settings th { width: 15rem; font-weight: 500; color: var(--quiet); }
.settings td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1.75rem 2rem; }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: .4rem; }
figure > svg { width: 100%; height: auto; overflow: visible; color: var(--ink); }
.legend { list-style: none; margin: .3rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; font-size: .9rem; }
.legend svg { vertical-align: middle; }
details { margin: .35rem 0; }
summary { cursor: pointer; }
a:focus-visible, pre:focus-visible, summary:focus-visible, .wide:focus-visible { outline: 2px solid var(--series-1); outline-offset: 2px; }
.files { margin: .2rem 0 0; font-size: .85rem; }
.files a { color: var(--quiet); margin-right: .6rem; }
th[rowspan], td[rowspan] { vertical-align: top; }
.words { white-space: normal !important; text-align: left; overflow-wrap: anywhere; min-width: 9rem; }
.list > summary { padding: .3rem 0; }
.list > details > summary { display: block; padding: .3rem .2rem; border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
.list > details[open] > summary { border-bottom-color: transparent; font-weight: 600; }
.nats { display: inline-block; min-width: 3rem; font-variant-numeric: tabular-nums; color: var(--quiet); }
.opened { background: var(--panel); border-radius: .5rem; padding: .5rem 1.1rem .9rem; margin-bottom: .6rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.cards { list-style: none; margin: 0; padding: 0; display: grid; gap: 1rem; }
.cards h3 { margin-top: 0; }
.cards article { background: var(--panel); border-radius: .5rem; padding: .9rem 1.1rem; }
.groups { list-style: none; margin: .4rem 0 0; padding: 0; }
.count { display: inline-block; min-width: 2.4em; font-variant-numeric: tabular-nums; color: var(--quiet); }
.answer { font-weight: 600; overflow-wrap: anywhere; }
.verdict { font-size: .85em; margin-left: .4em; }
.right { color: var(--right); } .wrong { color: var(--wrong); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--paper); border-radius: .4rem; padding: .7rem .9rem; margin: .4rem 0; font: .85rem/1.5 ui-monospace, SFMono-Regular, Consolas, monospace; max-height: 24rem; overflow-y: auto; }
@media (max-width: 40rem) {
  body { font-size: 15px; } h1 { font-size: 1.5rem; } header { padding-top: 1.5rem; }
  th, td { padding: .38rem .45rem; } th:first-child { white-space: normal; }
  .settings th { width: 40%; white-space: normal; }
}
@media print { details { display: block; } .wide { overflow: visible; } }
`;
