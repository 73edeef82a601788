// What the editor is given of the server's semantic tokens: flat rows of five integers. Plain values, no editor.

/** A set of colours for the classes. */
export type Palette = "default" | "colourBlind";

const INTEGERS_PER_TOKEN = 5;
const TYPE = 3;
const MODIFIERS = 4;

export interface Styling {
  /** The type that is left out, as an index; undefined: none. */
  hidden: number | undefined;
  /** Modifiers that every token gets on top of its own, as bits. */
  extraModifiers: number;
}

/** The tokens that a look shows. Positions are relative to the token before, so that what is left out adds up. */
export function shownTokens(data: ArrayLike<number>, { hidden, extraModifiers }: Styling): Uint32Array {
  const shown: number[] = [];
  let down = 0;
  let right = 0;
  for (let at = 0; at + INTEGERS_PER_TOKEN <= data.length; at += INTEGERS_PER_TOKEN) {
    const lines = data[at] ?? 0;
    const columns = data[at + 1] ?? 0;
    right = lines > 0 ? columns : right + columns;
    down += lines;
    if (data[at + TYPE] !== hidden) {
      shown.push(
        down,
        right,
        data[at + 2] ?? 0,
        data[at + TYPE] ?? 0,
        (data[at + MODIFIERS] ?? 0) | extraModifiers,
      );
      down = 0;
      right = 0;
    }
  }
  return Uint32Array.from(shown);
}

export interface Splice {
  start: number;
  deleteCount: number;
  data?: ArrayLike<number> | undefined;
}

/** The integers after the splices, whose places all refer to the integers before any of them. */
export function spliced(data: ArrayLike<number>, splices: readonly Splice[]): Uint32Array {
  const result = Array.from(data);
  for (const { start, deleteCount, data: added } of [...splices].sort((a, b) => b.start - a.start)) {
    const tail = result.splice(start).slice(deleteCount);
    for (const value of Array.from(added ?? []).concat(tail)) {
      result.push(value);
    }
  }
  return Uint32Array.from(result);
}
