/** Folds made by `groupedStratifiedFolds`. */
export interface FoldAssignment {
  /** [n] 0..k-1 */
  readonly foldOf: ArrayLike<number>;
  readonly foldCount: number;
}

/** Whether 0 and 1 both occur. */
export function hasBothClasses(labels: ArrayLike<number>): boolean {
  let hasZero = false;
  let hasOne = false;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 0) hasZero = true;
    else if (labels[i] === 1) hasOne = true;
  }
  return hasZero && hasOne;
}
