// The orders of the responses. Plain values, no editor.
import { type ClassName, type Row, shareOf } from "./rows";

export type Order = "file" | ClassName | "model" | "problem";

/** What each order is called, and what it does. */
export const ORDERS: Readonly<Record<Order, readonly [label: string, detail: string]>> = {
  file: ["Order of the File", "As the responses stand in the file."],
  shifted: ["Most Shifted First", "By the share of shifted tokens."],
  marginal: ["Most Marginal First", "By the share of marginal tokens."],
  unshifted: ["Most Unshifted First", "By the share of unshifted tokens."],
  model: ["Model", "By who wrote the response, where the file says so, then by the pair that it is scored with."],
  problem: ["Problems First", "What can't be scored or has a note comes first."],
};

export function isOrder(value: unknown): value is Order {
  return typeof value === "string" && Object.hasOwn(ORDERS, value);
}

/** In another order. Equals stay as they were, and what has no scores comes last where shares are compared. */
export function sorted<T>(items: readonly T[], order: Order, rowOf: (item: T) => Row): T[] {
  const compare = COMPARISONS[order];
  return compare ? [...items].sort((a, b) => compare(rowOf(a), rowOf(b))) : [...items];
}

type Compare = (a: Row, b: Row) => number;

const COMPARISONS: Readonly<Record<Order, Compare | undefined>> = {
  file: undefined,
  shifted: byShare("shifted"),
  marginal: byShare("marginal"),
  unshifted: byShare("unshifted"),
  model: (a, b) => modelKey(a).localeCompare(modelKey(b)),
  problem: (a, b) => severity(b) - severity(a),
};

function byShare(name: ClassName): Compare {
  return (a, b) => (shareOf(b, name) ?? -1) - (shareOf(a, name) ?? -1);
}

function modelKey({ models: [base = "", aligned = "", writer = ""] }: Row): string {
  return [writer, aligned, base].join("\n");
}

function severity({ state, problems }: Row): number {
  return state === "refused" ? 2 : Number(problems.length > 0);
}
