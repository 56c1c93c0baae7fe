import { PALETTE } from "./chart.ts";

/** The report's style: one readable column, light or dark as the reader's system is, on screens, phones and paper. */
export const STYLE_SHEET: string = `
${PALETTE}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header { max-width: 64rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
main { padding-bottom: 4rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: .3rem 0 .6rem; letter-spacing: -.01em; max-width: 50rem; text-wrap: balance; }
h2 { font-size: 1.3rem; margin: 3rem 0 .6rem; letter-spacing: -.005em; }
h3 { font-size: 1rem; margin: 1.2rem 0 .25rem; overflow-wrap: anywhere; white-space: pre-wrap; }
p { margin: .5rem 0; max-width: 44rem; }
a { color: var(--series-1); }
.about { color: var(--quiet); font-size: .92rem; margin: 0; max-width: none; overflow-wrap: anywhere; }
.about b { color: var(--ink); }
.about time { white-space: nowrap; }
.toy { display: inline-block; background: var(--warn); color: var(--warn-ink); border-radius: .3rem; padding: 0 .4rem; font-weight: 600; }
.lead { font-size: 1.05rem; }
.quiet { color: var(--quiet); font-size: .9em; font-weight: 400; }
.overview { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.5rem 2.5rem; align-items: start; margin-top: 1.4rem; }
.overview h2 { margin: 0 0 .5rem; font-size: 1.1rem; }
.overview .checks + figure { margin-top: 1.6rem; }
.checks { list-style: none; margin: 0; padding: 0; border-top: 1px solid var(--rule); }
.checks li { display: grid; grid-template-columns: 1.7rem 1fr; padding: .5rem 0; border-bottom: 1px solid var(--rule); font-size: .94rem; line-height: 1.4; }
.checks a { font-weight: 600; color: var(--ink); text-decoration-color: var(--rule); text-underline-offset: .2em; }
.checks a:hover { text-decoration-color: currentColor; }
.sign { font-weight: 700; font-size: 1.1rem; line-height: 1.25; }
.good .sign { color: var(--good); } .unsure .sign { color: var(--unsure); } .bad .sign { color: var(--bad); } .unknown .sign { color: var(--quiet); }
.contents { margin-top: 2rem; padding: .7rem 0; border: solid var(--rule); border-width: 1px 0; font-size: .94rem; }
.contents ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; }
.missed { color: var(--bad); font-weight: 600; }
.wide { position: relative; overflow-x: auto; margin: 1rem 0 .2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; padding: 0 0 .4rem; font-weight: 600; }
th, td { padding: .32rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { padding-left: 0; }
th.left, td.left, .group th { text-align: left; }
thead th { font-weight: 600; color: var(--quiet); font-size: .84rem; line-height: 1.3; vertical-align: bottom; white-space: normal; min-width: 4.6rem; }
tbody th { font-weight: 400; }
.group th { color: var(--quiet); font-size: .84rem; padding-top: .8rem; font-weight: 600; }
.under { margin: .3rem 0 0; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.settings th { width: 15rem; font-weight: 500; color: var(--quiet); text-align: left; }
.settings td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1.75rem 2rem; margin-top: .8rem; }
figure { margin: 0; min-width: 0; max-width: 34rem; }
figcaption { font-weight: 600; margin-bottom: .4rem; }
figure > svg { width: 100%; height: auto; overflow: visible; color: var(--ink); }
.legend { list-style: none; margin: .3rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; font-size: .9rem; }
.legend svg { vertical-align: middle; }
details { margin: .35rem 0; }
summary { cursor: pointer; }
a:focus-visible, pre:focus-visible, summary:focus-visible, .wide:focus-visible { outline: 2px solid var(--series-1); outline-offset: 2px; }
.files { margin: .2rem 0 0; font-size: .85rem; }
.files a { color: var(--quiet); margin-right: .6rem; }
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
.clusters { list-style: none; margin: .4rem 0 0; padding: 0; }
.count { display: inline-block; min-width: 2.4em; font-variant-numeric: tabular-nums; color: var(--quiet); }
.answer { font-weight: 600; overflow-wrap: anywhere; }
.verdict { font-size: .85em; margin-left: .4em; }
.right-answer { color: var(--right); } .wrong-answer { color: var(--wrong); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--paper); border-radius: .4rem; padding: .7rem .9rem; margin: .4rem 0; font: .85rem/1.5 ui-monospace, SFMono-Regular, Consolas, monospace; max-height: 24rem; overflow-y: auto; }
@media (max-width: 40rem) {
  body { font-size: 15px; } h1 { font-size: 1.35rem; } header { padding-top: 1.2rem; }
  th, td { padding: .32rem .4rem; } th:first-child { white-space: normal; min-width: 8rem; }
  .settings th { width: 40%; }
}
@page { margin: 16mm; }
@media print {
  :root { color-scheme: light; }
  html { font-size: 10pt; }
  body { font-size: 1rem; }
  main, header { max-width: none; padding: 0; }
  h1 { font-size: 16pt; } h2 { font-size: 12pt; margin-top: 1.6rem; }
  h2, h3, caption, figcaption, .group { break-after: avoid; }
  figure, tr, .checks li, .cards article, .legend { break-inside: avoid; }
  p { orphans: 3; widows: 3; }
  .overview { grid-template-columns: 1fr 1fr; gap: 1rem 1.5rem; }
  .charts { grid-template-columns: 1fr 1fr; }
  .wide { overflow: visible; }
  table { font-size: 8pt; } th, td { padding: .16rem .3rem; } th { white-space: normal; }
  thead th, .group th { font-size: 8pt; min-width: 0; } tbody th { min-width: 6.5rem; }
  thead { display: table-header-group; }
  .files, .contents, .demand { display: none; }
  pre { max-height: none; }
}
`;
