// What to do when the server ends without being asked to, as plain values.

const RESTARTS = 3;
const WITHIN_MS = 3 * 60 * 1000;

export interface Reaction {
  restart: boolean;
  /** Whether the user is told: of the first of several ends in a row, and when it is given up. */
  report: boolean;
}

/** Remembers the last unexpected ends; a server that keeps ending is not started for ever. */
export class Crashes {
  #ends: number[] = [];

  /** The server ended at `now`, in milliseconds. */
  ended(now: number): Reaction {
    this.#ends = [...this.#ends.filter((end) => now - end <= WITHIN_MS), now];
    const restart = this.#ends.length <= RESTARTS;
    return { restart, report: !restart || this.#ends.length === 1 };
  }
}

/** What a crash notification says. `ending` is how the process ended, `lines` its last ones. */
export function crashText(ending: string, lines: readonly string[], restarted: boolean): string {
  const after = restarted
    ? "It is being started again."
    : `It has ended ${RESTARTS + 1} times in a few minutes and is not started again.`;
  const words = lines.slice(-3).join(" ").slice(-400);
  return `The ShiftLens server ended unexpectedly (${ending}). ${after}${words ? ` Its last lines: ${words}` : ""}`;
}

/** What is said of a server that never answered. */
export function startText(problem: string, lines: readonly string[]): string {
  const words = lines.slice(-3).join(" ").slice(-400);
  return `The ShiftLens server did not start (${problem}).${words ? ` Its last lines: ${words}` : ""}`;
}
