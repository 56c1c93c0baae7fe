import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { percent } from "../decision.ts";
import type { Branch, ForkTree, Meaning } from "../fork-tree.ts";
import { showToken } from "./token-name.ts";

const MARGIN = 8;
/** Room for what the continuations mean, and for how many they are. */
const [MOST_LABELS, LEAST_LABELS] = [160, 84];

/** The continuations as a tree that parts where they differ, in the colours of what they come to mean. */
export function ForkDrawing({
  tree,
  samples,
}: {
  readonly tree: ForkTree;
  readonly samples: number;
}): JSX.Element {
  const [frame, width] = useWidth();
  // two lines of text beside a row, where there are few of them
  const pitch = tree.rows <= 5 ? 46 : 34;
  const height = tree.rows * pitch + 2 * MARGIN;
  const letters = Math.max(...tree.meanings.map(({ answer }) => shorten(nameMeaning(answer)).length));
  const labels = Math.min(MOST_LABELS, Math.max(LEAST_LABELS, 28 + 10 * letters));
  const room = Math.max(80, width - labels - MARGIN);
  const x = (token: number): number => MARGIN + (room * token) / Math.max(1, tree.depth);
  const y = (row: number): number => MARGIN + (row + 0.5) * pitch;
  return (
    <div class="fork" ref={frame}>
      {width > 0 && (
        <svg width={width} height={height} role="img" aria-label={describeTree(tree, samples)}>
          {tree.branches.map((branch) => (
            <path key={`${branch.from} ${branch.toRow}`} {...drawBranch(branch, x, y)} />
          ))}
          {tree.branches.filter(parts).map((branch) => (
            <BranchLabel key={`${branch.from} ${branch.toRow}`} branch={branch} x={x} y={y} />
          ))}
          <circle class="root" cx={x(0)} cy={y((tree.rows - 1) / 2)} r="5" />
          {tree.meanings.map((meaning, rank) => (
            <MeaningLabel
              key={rank}
              meaning={meaning}
              rank={rank}
              at={{
                x: MARGIN + room + 10,
                top: y(meaning.firstRow) - pitch * 0.36,
                bottom: y(meaning.lastRow) + pitch * 0.36,
              }}
            />
          ))}
        </svg>
      )}
    </div>
  );
}

const parts = ({ from, count }: Branch): boolean => from > 0 || count > 1;

function drawBranch(
  { from, to, fromRow, toRow, count, meaning }: Branch,
  x: (token: number) => number,
  y: (row: number) => number,
): Readonly<Record<string, string | number>> {
  const [x0, x1] = [x(from), x(to)];
  const bend = x0 + Math.min(36, (x1 - x0) * 0.7);
  const middle = (x0 + bend) / 2;
  return {
    d: `M${x0} ${y(fromRow)}C${middle} ${y(fromRow)} ${middle} ${y(toRow)} ${bend} ${y(toRow)}H${x1}`,
    class: "branch",
    "data-meaning": meaning === null ? "mixed" : String(meaning % 6),
    "stroke-width": 1.5 + 0.8 * count,
  };
}

interface BranchLabelProps {
  readonly branch: Branch;
  readonly x: (token: number) => number;
  readonly y: (row: number) => number;
}

/** The first tokens of a branch, as many as there is room for. */
function BranchLabel({ branch, x, y }: BranchLabelProps): JSX.Element | null {
  const from = x(branch.from) + Math.min(36, (x(branch.to) - x(branch.from)) * 0.7);
  const letters = Math.floor((x(branch.to) - from) / 7.4);
  if (letters < 1) return null;
  const text = showToken(branch.text.trimStart()).slice(0, letters);
  return (
    <text class="said" x={from + 2} y={y(branch.toRow) - 3 - 0.4 * branch.count}>
      {text}
    </text>
  );
}

interface MeaningLabelProps {
  readonly meaning: Meaning;
  readonly rank: number;
  readonly at: { readonly x: number; readonly top: number; readonly bottom: number };
}

function MeaningLabel({ meaning, rank, at }: MeaningLabelProps): JSX.Element {
  const { answer, members, probability } = meaning;
  const middle = (at.top + at.bottom) / 2;
  return (
    <g data-meaning={rank % 6}>
      <path class="bracket" d={`M${at.x} ${at.top}V${at.bottom}`} />
      <text class="meaning" x={at.x + 10} y={middle}>
        {shorten(nameMeaning(answer))}
      </text>
      <text class="count" x={at.x + 10} y={middle + 14}>
        {members.length}× · {percent(probability)}
      </text>
    </g>
  );
}

const nameMeaning = (answer: string | null): string => answer ?? "no answer";
const shorten = (text: string): string => (text.length > 14 ? `${text.slice(0, 13)}…` : text);

const describeTree = ({ meanings }: ForkTree, samples: number): string =>
  `${samples} continuations: ${meanings
    .map(({ answer, members }) => `${members.length} mean ${nameMeaning(answer)}`)
    .join(", ")}`;

/** The width of an element, also when it changes. */
function useWidth(): readonly [{ readonly current: HTMLDivElement | null }, number] {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = frame.current as HTMLDivElement;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [frame, width];
}
