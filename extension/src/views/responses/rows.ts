// The responses of a document as rows of the view. Plain values, no editor.
import type { AnalysisAnswer, Counts, ResponseState, ResponseSummary, State } from "../../server/protocol";
import { BUSY } from "../statusText";

export type ClassName = "shifted" | "marginal" | "unshifted";

export const CLASSES: readonly ClassName[] = ["shifted", "marginal", "unshifted"];

export interface Row {
  /** Index of the response in the file, from 0. */
  index: number;
  label: string;
  description: string;
  detail: string;
  state: ResponseState;
  /** Of all positions that were scored; undefined without scores. */
  counts: Counts | undefined;
  /** The base and the aligned model that it is scored with, and who wrote it where the file says so. */
  models: readonly string[];
  /** Why it can't be scored, and what the server notes of it. */
  problems: readonly string[];
  /** What words of a filter are looked for in. */
  text: string;
}

/** The rows of an answer, in the order of the file. */
export function rowsOf(answer: AnalysisAnswer): Row[] {
  return answer.responses.map((response): Row => {
    const { index, state, summary, prompt, turn, label: writer } = response;
    return {
      index,
      label: label(answer.state, state, summary),
      description: description(prompt || `Response ${index + 1}`, state, summary),
      detail: detail(response),
      state,
      counts: summary ?? undefined,
      models: [answer.models?.base, answer.models?.aligned, writer].filter((name): name is string =>
        Boolean(name),
      ),
      problems: problemsOf(response),
      text: `${prompt}\n${turn}`,
    };
  });
}

/** Tokens of a class over those that have one; undefined where none has. */
export function shareOf({ counts }: Row, name: ClassName): number | undefined {
  return counts && classified(counts) > 0 ? counts[name] / classified(counts) : undefined;
}

/** How many tokens have a class. */
export function classified({ unshifted, marginal, shifted }: Counts): number {
  return unshifted + marginal + shifted;
}

/** All responses of a file together, for the row of the file; `shown` of them pass the filter. */
export function describeFile(answer: AnalysisAnswer, shown = answer.responses.length): string {
  const count = answer.responses.length;
  if (count === 0) {
    return "";
  }
  const found = answer.responses.flatMap(({ summary }) => summary ?? []);
  const total = (count: (summary: Counts) => number) => found.reduce((sum, each) => sum + count(each), 0);
  const shifted = percent(
    total((each) => each.shifted),
    total(classified),
  );
  const number = shown === count ? `${count}` : `${shown} of ${count}`;
  const problems = answer.problems ?? 0;
  return [
    `${number} ${count === 1 ? "response" : "responses"}`,
    found.length === 0 ? "" : `${shifted} shifted`,
    problems === 0 ? "" : `${problems} ${problems === 1 ? "problem" : "problems"} in the file`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** The share comes first: in a narrow view, the end of a row is cut off. */
function label(file: State, state: ResponseState, summary: ResponseSummary | null): string {
  if (state === "refused") {
    return "can't be scored";
  }
  if (state === "notScored") {
    return "not scored";
  }
  if (summary) {
    return percent(summary.shifted, classified(summary));
  }
  return BUSY.includes(file) ? "waiting" : "not scored";
}

function description(prompt: string, state: ResponseState, summary: ResponseSummary | null): string {
  if (!summary) {
    return prompt;
  }
  const soFar = state === "partial" ? " so far" : "";
  const parts = (summary.byPart ?? []).map((part) => `${part.kind} ${percent(part.shifted, classified(part))}`);
  const byPart = parts.length > 0 ? `; ${parts.join(", ")}` : "";
  const unknown = summary.unknown ? `, ${summary.unknown} of unknown class` : "";
  return `${prompt} (${summary.shifted} of ${summary.tokens} shifted${unknown}${soFar}${byPart})`;
}

type Response = AnalysisAnswer["responses"][number];

function detail({ index, turn, training, message, summary, notes }: Response): string {
  const head = `Response ${index + 1}${turn ? ` (${turn})` : ""}`;
  const byPart = (summary?.byPart ?? []).map((part) => `${part.kind}: ${describeCounts(part)}`);
  const byKind = (summary?.byKind ?? []).map((of) => `kind ${of.kind}: ${describeCounts(of)}`);
  const byLossMask = (summary?.byLossMask ?? []).map((of) => `loss mask ${of.kind}: ${describeCounts(of)}`);
  const counts = [summary ? describeCounts(summary) : "", ...byPart, ...byKind, ...byLossMask];
  return [head, ...counts, training, message, ...(notes ?? [])].filter(Boolean).join("\n");
}

function problemsOf({ state, message, notes }: Response): string[] {
  return [...(state === "refused" ? [message || "It can't be scored."] : []), ...(notes ?? [])];
}

function describeCounts({ shifted, marginal, unshifted, unknown, tokens }: Counts): string {
  const rest = unknown ? `, ${unknown} of unknown class,` : "";
  return `${shifted} shifted, ${marginal} marginal, ${unshifted} unshifted${rest} of ${tokens} tokens`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`;
}
