import {
  autocompletion,
  type CompletionContext,
  type CompletionResult,
  completeAnyWord,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { html } from "@codemirror/lang-html";
import { javascript } from "@codemirror/lang-javascript";
import { markdown } from "@codemirror/lang-markdown";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { EditorState, Prec, StateEffect, StateField } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { CellKind } from "../format/notebook-file.ts";

/** What an editor does for the cell that it is in. */
interface EditorActions {
  changed(text: string): void;
  /** Runs the cell; with `moves`, the focus moves to the next one. */
  run(moves: boolean): void;
  save(): void;
  leave(): void;
  /** The cursor leaves the editor at its first or last line. */
  step(direction: -1 | 1): void;
  /** Names that can be completed besides the words of the cell. */
  names(): readonly string[];
}

/** Makes an editor. */
export function createEditor(
  parent: HTMLElement,
  text: string,
  kind: CellKind,
  actions: EditorActions,
): EditorView {
  const act = (run: () => void) => () => {
    run();
    return true;
  };
  const atEdge =
    (direction: -1 | 1) =>
    (view: EditorView): boolean => {
      const { main } = view.state.selection;
      const line = view.state.doc.lineAt(main.head);
      const isEdge = main.empty && line.number === (direction === -1 ? 1 : view.state.doc.lines);
      if (isEdge) actions.step(direction);
      return isEdge;
    };
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        Prec.highest(
          keymap.of([
            { key: "Shift-Enter", run: act(() => actions.run(true)) },
            { key: "Mod-Enter", run: act(() => actions.run(false)) },
            { key: "Mod-s", run: act(actions.save), preventDefault: true },
          ]),
        ),
        history(),
        drawSelection(),
        bracketMatching(),
        indentOnInput(),
        autocompletion({ override: [completeNames(actions.names), completeAnyWord], icons: false }),
        keymap.of([
          { key: "Escape", run: act(actions.leave) },
          { key: "ArrowUp", run: atEdge(-1) },
          { key: "ArrowDown", run: atEdge(1) },
          indentWithTab,
          ...defaultKeymap,
          ...historyKeymap,
        ]),
        kind === "markdown" || kind === "html" ? [] : [lineNumbers(), highlightActiveLine()],
        languageOf(kind),
        syntaxHighlighting(STYLE),
        ERROR_LINE,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({
          "aria-label": kind === "markdown" ? "Text of the cell" : "Code of the cell",
        }),
        EditorView.updateListener.of(({ docChanged, state }) => {
          if (docChanged) actions.changed(state.doc.toString());
        }),
      ],
    }),
  });
}

/** Replaces only the part of the text that differs, so that the cursor stays in place. */
export function setText(view: EditorView, text: string): void {
  const now = view.state.doc.toString();
  if (now === text) return;
  let from = 0;
  while (from < now.length && now[from] === text[from]) from += 1;
  let end = 0;
  while (end < Math.min(now.length, text.length) - from && now.at(-1 - end) === text.at(-1 - end)) end += 1;
  view.dispatch({ changes: { from, to: now.length - end, insert: text.slice(from, text.length - end) } });
}

/** Marks the line of an error; null removes the mark. */
export function markLine(view: EditorView, line: number | null): void {
  view.dispatch({ effects: MARK.of(line) });
}

const languageOf = (kind: CellKind) =>
  kind === "markdown" ? markdown() : kind === "html" ? html() : javascript({ typescript: kind !== "js" });

function completeNames(names: () => readonly string[]) {
  return (context: CompletionContext): CompletionResult | null => {
    const word = context.matchBefore(/[\w$]+/);
    if (word === null || (word.from === word.to && !context.explicit)) return null;
    return { from: word.from, options: names().map((label) => ({ label })), validFor: /^[\w$]*$/ };
  };
}

const MARK = StateEffect.define<number | null>();
const ERROR_LINE = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, { effects, changes, state }) {
    let next = marks.map(changes);
    for (const effect of effects) {
      if (!effect.is(MARK)) continue;
      const isThere = effect.value !== null && effect.value >= 1 && effect.value <= state.doc.lines;
      next = isThere
        ? Decoration.set([
            Decoration.line({ class: "error-line" }).range(state.doc.line(effect.value as number).from),
          ])
        : Decoration.none;
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Colours come from the page's style sheet, light and dark. */
const STYLE = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.comment], color: "var(--quiet)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.className], color: "var(--code-type)" },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.propertyName)],
    color: "var(--code-function)",
  },
  { tag: [tags.heading], fontWeight: "650" },
  { tag: [tags.strong], fontWeight: "650" },
  { tag: [tags.emphasis], fontStyle: "italic" },
  { tag: [tags.link, tags.url], color: "var(--code-function)" },
  { tag: [tags.processingInstruction, tags.meta], color: "var(--quiet)" },
]);
