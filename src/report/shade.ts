/** Text stays readable on this much of a line's colour, light or dark. */
const DARKEST = 0.55;

/** Opacity of a cell for an AUROC: none at chance, full at 1; a score that is worse than chance has none either. */
export const shadeOf = (auroc: number): number => DARKEST * Math.min(1, Math.max(0, 2 * auroc - 1));
