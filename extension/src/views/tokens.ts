// Semantic tokens as spans of the text. Plain values, no editor.

/** A token on one line; `end` is the column behind it. */
export interface Span {
  line: number;
  start: number;
  end: number;
}

const INTEGERS_PER_TOKEN = 5;

/** The spans of one type in the five-integer encoding of the protocol, in the order of the text. */
export function spansOfType(data: ArrayLike<number>, types: readonly string[], type: string): Span[] {
  const wanted = types.indexOf(type);
  const spans: Span[] = [];
  let line = 0;
  let column = 0;
  for (let at = 0; at + INTEGERS_PER_TOKEN <= data.length; at += INTEGERS_PER_TOKEN) {
    const down = data[at] ?? 0;
    const right = data[at + 1] ?? 0;
    line += down;
    column = down === 0 ? column + right : right;
    if (data[at + 3] === wanted) {
      spans.push({ line, start: column, end: column + (data[at + 2] ?? 0) });
    }
  }
  return spans;
}
