// Numbers as the panel shows them.

/** A probability as a percentage; with more digits where it is small, in powers of ten where it is tiny. */
export function percent(probability: number | null): string {
  if (probability === null) {
    return "–";
  }
  if (probability === 0 || probability >= 1e-4) {
    return `${(100 * probability).toFixed(2)} %`;
  }
  if (probability >= 1e-6) {
    return `${(100 * probability).toFixed(4)} %`;
  }
  return `${(100 * probability).toExponential(1)} %`;
}
