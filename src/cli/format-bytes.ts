/**
 * A size for people: "0 B", "12 kB", "3.4 MB", "1.2 GB", in powers of 1000.
 * @param scaleBytes the size that chooses the unit, so that "0.3" and "1.2 GB" can stand side by side
 */
export function formatBytes(sizeBytes: number, scaleBytes: number = sizeBytes): string {
  const power = UNITS.findLastIndex((_, index) => scaleBytes >= 1000 ** index);
  const value = sizeBytes / 1000 ** Math.max(0, power);
  // kilobytes and bytes need no fraction
  return `${value.toFixed(power >= 2 ? 1 : 0)} ${UNITS[Math.max(0, power)]}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;
