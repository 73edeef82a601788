// Which responses are listed: terms that a reader types, all of which must hold. Plain values, no editor.
import { CLASSES, type ClassName, classified, type Row } from "./rows";

/** Whether a term holds for a response of the file with this name. */
type Term = (row: Row, file: string) => boolean;

export interface Filter {
  kind: "filter";
  text: string;
  terms: readonly Term[];
}

/** Why a text is no filter, and what would be one. */
export interface NoFilter {
  kind: "problem";
  problem: string;
}

export const EVERYTHING: Filter = { kind: "filter", text: "", terms: [] };

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  "=": (a, b) => a === b,
};

/** A term: an optional minus, then what may hold quoted text. */
const TERM = /-?(?:"[^"]*"?|[^\s"])+/g;
const NUMBER_TERM = /^(shifted|marginal|unshifted|tokens)(>=|<=|>|<|=)(.*)$/;

/**
 * A filter of words and terms, parted by spaces; a minus before one turns it round, quotes hold words together:
 * `shifted>10` (per cent of the tokens; also `marginal`, `unshifted`), `tokens<50` (a count), `class:marginal` (has such
 * a token), `model:NAME`, `problem`, `unscored`. Other words are looked for in the prompt, the turn and the file's name.
 */
export function parseFilter(text: string): Filter | NoFilter {
  const terms: Term[] = [];
  for (const [each] of text.matchAll(TERM)) {
    const negated = each.startsWith("-") && each.length > 1;
    const term = parseTerm(negated ? each.slice(1) : each);
    if (typeof term === "string") {
      return { kind: "problem", problem: term };
    }
    terms.push(negated ? (row, file) => !term(row, file) : term);
  }
  return { kind: "filter", text: text.trim(), terms };
}

export function passes(filter: Filter, row: Row, file: string): boolean {
  return filter.terms.every((term) => term(row, file));
}

/** The text of a filter with a term in it, or without it where it is in it. */
export function toggled(text: string, term: string): string {
  const terms = termsOf(text);
  return (terms.includes(term) ? terms.filter((each) => each !== term) : [...terms, term]).join(" ");
}

export function termsOf(text: string): string[] {
  return [...text.matchAll(TERM)].map(([term]) => term);
}

/** Terms that some of the responses would pass, and how many do. */
export function suggestions(listed: readonly { row: Row; file: string }[]): { term: string; count: number }[] {
  const models = new Set(listed.flatMap(({ row }) => row.models));
  const terms = [
    "shifted>20",
    "shifted>10",
    "shifted>5",
    ...CLASSES.map((name) => `class:${name}`),
    "problem",
    "unscored",
    ...[...models].map((model) => `model:${quoted(model)}`),
  ];
  return terms.flatMap((term) => {
    const filter = parseFilter(term);
    const count =
      filter.kind === "filter" ? listed.filter(({ row, file }) => passes(filter, row, file)).length : 0;
    return count > 0 ? [{ term, count }] : [];
  });
}

/** The term, or why there is none. */
function parseTerm(term: string): Term | string {
  const [, subject, sign = "", value = ""] = NUMBER_TERM.exec(term) ?? [];
  if (subject !== undefined) {
    return numberTerm(subject as ClassName | "tokens", sign, value, term);
  }
  if (term === "problem") {
    return ({ problems }) => problems.length > 0;
  }
  if (term === "unscored") {
    return ({ counts, state }) => counts === undefined && state !== "refused";
  }
  const [, key, rest = ""] = /^(class|model):(.*)$/.exec(term) ?? [];
  if (key === "class") {
    const name = CLASSES.find((each) => each === rest);
    return name
      ? ({ counts }) => counts !== undefined && counts[name] > 0
      : `"${term}" names no class: write class:shifted, class:marginal or class:unshifted.`;
  }
  if (key === "model") {
    const model = unquoted(rest);
    return model === ""
      ? `"${term}" names no model: write a part of its name, as in model:base.`
      : ({ models }) => models.some((name) => has(name, model));
  }
  const words = unquoted(term);
  return ({ text }, file) => has(text, words) || has(file, words);
}

function numberTerm(subject: ClassName | "tokens", sign: string, value: string, term: string): Term | string {
  const compare = COMPARE[sign];
  const wanted = /^\d+(\.\d+)?%?$/.test(value) ? Number.parseFloat(value) : Number.NaN;
  if (!compare || Number.isNaN(wanted)) {
    return `"${term}" has no number: write one after the sign, as in ${subject}${sign}10.`;
  }
  return ({ counts }) => {
    if (!counts) {
      return false;
    }
    // The quotient of whole numbers, since 100 * (7 / 100) is more than 7.
    const [part, whole] = subject === "tokens" ? [counts.tokens, 1] : [100 * counts[subject], classified(counts)];
    return whole > 0 && compare(part / whole, wanted);
  };
}

function has(text: string, words: string): boolean {
  return text.toLowerCase().includes(words.toLowerCase());
}

function quoted(text: string): string {
  return /\s/.test(text) ? `"${text}"` : text;
}

function unquoted(text: string): string {
  return text.replaceAll('"', "");
}
