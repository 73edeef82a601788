// Models and pairs as rows of a list. Plain values, no editor.
import type { LocalModel } from "../server/protocol";

export type Pair = readonly [base: string, aligned: string];

export const BUNDLED: Pair = ["bundled:base", "bundled:aligned"];

const MOST_RECENT = 5;
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

/** A number of bytes in powers of 1000, as shops and most file managers count them. */
export function formatSize(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

/** How large a model is and where it lies; undefined: nobody could be asked. */
export function describeModel(model: LocalModel | undefined): string {
  if (!model) {
    return "";
  }
  const places = {
    bundled: "comes with ShiftLens",
    folder: "folder",
    file: "GGUF file",
    cache: "Hugging Face cache",
  };
  return model.where === "missing" ? "not on this machine" : `${formatSize(model.size)}, ${places[model.where]}`;
}

/** The same of a pair, in a few words. */
export function describePair(pair: Pair, models: readonly LocalModel[]): string {
  const found = pair.map((name) => models.find((model) => model.name === name));
  if (found.some((model) => model === undefined)) {
    return "";
  }
  const missing = pair.filter((_, at) => found[at]?.where === "missing");
  if (missing.length > 0) {
    return `${missing.map(shortName).join(" and ")} not on this machine`;
  }
  const size = formatSize(found.reduce((sum, model) => sum + (model?.size ?? 0), 0));
  const places = new Set(found.map((model) => describeModel(model).replace(/^[^,]*, /, "")));
  return `${size} together, ${[...places].join(" and ")}`;
}

/** The last part of a name or of a path. */
export function shortName(name: string): string {
  return name.split(/[\\/]/).filter(Boolean).at(-1) ?? name;
}

export function pairLabel([base, aligned]: Pair): string {
  return `${shortName(base)} → ${shortName(aligned)}`;
}

/** The pairs chosen before, the last one first, without what everybody has. */
export function recentWith(recent: readonly Pair[], pair: Pair): Pair[] {
  const others = recent.filter((each) => !samePair(each, pair));
  return (samePair(pair, BUNDLED) ? others : [pair, ...others]).slice(0, MOST_RECENT);
}

/** What is there of `value`, which was written by another version or by hand. */
export function pairsIn(value: unknown): Pair[] {
  const isPair = (each: unknown): each is Pair =>
    Array.isArray(each) && each.length === 2 && each.every((name) => typeof name === "string" && name !== "");
  return Array.isArray(value) ? value.filter(isPair) : [];
}

export function samePair(a: Pair, b: Pair): boolean {
  return a[0] === b[0] && a[1] === b[1];
}
