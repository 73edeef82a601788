// The lines that a process writes.
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

const MOST_LINES = 12;
const MOST_CHARS = 4000;

/** Call `take` with every line that is not blank; resolves when the stream has ended. */
export function readLines(stream: Readable, take: (line: string) => void): Promise<void> {
  const reader = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  reader.on("line", (line) => {
    if (line.trim() !== "") {
      take(line);
    }
  });
  return new Promise((resolve) => reader.once("close", resolve));
}

/** The last lines that were added, each cut to a length that a message has room for. */
export class LastLines {
  #lines: string[] = [];

  add(line: string): void {
    this.#lines = [...this.#lines, line.trimEnd().slice(0, MOST_CHARS)].slice(-MOST_LINES);
  }

  /** The last one comes last. */
  all(): string[] {
    return [...this.#lines];
  }
}
