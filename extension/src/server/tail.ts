// The last lines of what a process says.

const MOST_LINES = 12;
const MOST_CHARS = 4000;

/** Takes pieces of text as they come; remembers the last lines that hold something. */
export class Tail {
  #lines: string[] = [];
  #open = "";

  add(piece: string): void {
    const lines = (this.#open + piece).split(/\r\n|\r|\n/);
    this.#open = (lines.pop() ?? "").slice(-MOST_CHARS);
    this.#lines = [...this.#lines, ...lines.filter((line) => line.trim() !== "")].slice(-MOST_LINES);
  }

  /** At most `count` lines, the last one last. */
  lines(count = MOST_LINES): string[] {
    const all = this.#open.trim() === "" ? this.#lines : [...this.#lines, this.#open];
    return all.slice(-count).map((line) => line.trimEnd().slice(0, MOST_CHARS));
  }
}
