/**
 * The colours of pages and charts, as variables that follow the reader's system. Text on `paper` and `panel` has a
 * contrast of at least 4.5, lines of charts of at least 3.
 */
export const PALETTE = `:root {
  color-scheme: light dark;
  --paper: #fcfcfa; --ink: #1c1d20; --quiet: #5c6068; --rule: #c9ccd1; --panel: #f1f2ef; --warn: #fff3d6; --warn-ink: #5f4300;
  --series-1: #0067a3; --series-2: #c04f00; --series-3: #00795a; --series-4: #9c3d78; --right: #00684c; --wrong: #a63a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181c; --ink: #e9eaec; --quiet: #a3a8b1; --rule: #444952; --panel: #1f2228; --warn: #3a2f14; --warn-ink: #f3dca4;
    --series-1: #64b9ee; --series-2: #f59a5d; --series-3: #4fcfa5; --series-4: #e39ac6; --right: #62d3ab; --wrong: #f59a5d;
  }
}`;
