// Semantic tokens as ranges, and the way from one shifted token to the next. Plain values, no editor.
import type { Position } from "../server/protocol";

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

/** The first span that starts after `from`, or the first of all; undefined if there is none. */
export function nextSpan(spans: readonly Span[], from: Position): Span | undefined {
  return spans.find((span) => isAfter(span, from)) ?? spans[0];
}

/** The last span that starts before `from`, or the last of all; undefined if there is none. */
export function previousSpan(spans: readonly Span[], from: Position): Span | undefined {
  return spans.findLast((span) => isBefore(span, from)) ?? spans.at(-1);
}

function isAfter(span: Span, { line, character }: Position): boolean {
  return span.line > line || (span.line === line && span.start > character);
}

function isBefore(span: Span, { line, character }: Position): boolean {
  return span.line < line || (span.line === line && span.start < character);
}
