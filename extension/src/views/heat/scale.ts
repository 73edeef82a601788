// Heat: a number of each token as one of five steps. The steps are fixed, so that files can be compared. No editor here.
import type { TokensAnswer } from "../../server/protocol";
import type { Span } from "../tokens";

export type HeatMode = "off" | "kl" | "baseProbability";

export const STEPS = 5;

/** KL(aligned || base) in nats from which each step begins. */
const KL_FROM = [0.1, 0.5, 1, 2, 4];
/** The base model's probability below which each step begins. */
const PROBABILITY_BELOW = [0.5, 0.2, 0.05, 0.01, 0.001];

const NEXT: Record<HeatMode, HeatMode> = { off: "kl", kl: "baseProbability", baseProbability: "off" };

export function nextMode(mode: HeatMode): HeatMode {
  return NEXT[mode];
}

/** What the steps mean, in words. */
export function legend(mode: HeatMode): string {
  if (mode === "off") {
    return "Heat is off.";
  }
  return mode === "kl"
    ? `Heat: KL(aligned || base), steps from ${KL_FROM.join(", ")} nats.`
    : `Heat: the base model's probability, steps below ${PROBABILITY_BELOW.map((p) => `${100 * p} %`).join(", ")}.`;
}

/** The step of a number from 1 to 5; 0 where it gets no colour. */
export function stepOf(mode: HeatMode, value: number | null | undefined): number {
  if (mode === "off" || value === null || value === undefined) {
    return 0;
  }
  return mode === "kl"
    ? KL_FROM.filter((from) => value >= from).length
    : PROBABILITY_BELOW.filter((below) => value < below).length;
}

/** The spans of each step; the first list is that of step 1. */
export function spansByStep(mode: HeatMode, answer: TokensAnswer): Span[][] {
  const spans: Span[][] = Array.from({ length: STEPS }, () => []);
  const values = mode === "kl" ? answer.kl : answer.baseProb;
  for (const [at, value] of values.entries()) {
    const [line = 0, start = 0, end = 0] = answer.ranges.slice(3 * at, 3 * at + 3);
    spans[stepOf(mode, value) - 1]?.push({ line, start, end });
  }
  return spans;
}
