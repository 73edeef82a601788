// The responses of a document as rows of the view. Plain values, no editor.
import type { AnalysisAnswer, Counts, ResponseState, ResponseSummary, State } from "../protocol";
import { BUSY } from "../statusText";

export type Order = "file" | "shifted";

export interface Row {
  /** Position in the file, from 0. */
  index: number;
  label: string;
  description: string;
  detail: string;
  state: ResponseState;
  /** Shifted tokens over all tokens; undefined without scores. */
  share: number | undefined;
}

/** The rows of an answer, in file order or with the most shifted first; those without scores come last then. */
export function rowsOf(answer: AnalysisAnswer, order: Order): Row[] {
  const rows = answer.responses.map((response): Row => {
    const { index, state, summary } = response;
    return {
      index,
      label: label(answer.state, state, summary),
      description: description(response.prompt || `Response ${index + 1}`, state, summary),
      detail: detail(response),
      state,
      share: summary && summary.tokens > 0 ? summary.shifted / summary.tokens : undefined,
    };
  });
  return order === "file" ? rows : rows.sort((a, b) => (b.share ?? -1) - (a.share ?? -1) || a.index - b.index);
}

/** All responses of an answer together, for the row of the file. */
export function describeFile(answer: AnalysisAnswer): string {
  const count = answer.responses.length;
  if (count === 0) {
    return "";
  }
  const found = answer.responses.flatMap(({ summary }) => summary ?? []);
  const total = (key: "tokens" | "shifted") => found.reduce((sum, summary) => sum + summary[key], 0);
  const words = `${count} ${count === 1 ? "response" : "responses"}`;
  return found.length === 0 ? words : `${words}, ${share(total("shifted"), total("tokens"))} shifted`;
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
    return share(summary.shifted, summary.tokens);
  }
  return BUSY.includes(file) ? "waiting" : "not scored";
}

function description(prompt: string, state: ResponseState, summary: ResponseSummary | null): string {
  if (!summary) {
    return prompt;
  }
  const soFar = state === "partial" ? " so far" : "";
  const parts = (summary.byPart ?? []).map(({ kind, shifted, tokens }) => `${kind} ${share(shifted, tokens)}`);
  const byPart = parts.length > 0 ? `; ${parts.join(", ")}` : "";
  return `${prompt} (${summary.shifted} of ${summary.tokens} shifted${soFar}${byPart})`;
}

function detail({ index, turn, training, message, summary }: AnalysisAnswer["responses"][number]): string {
  const head = `Response ${index + 1}${turn ? ` (${turn})` : ""}`;
  const byPart = (summary?.byPart ?? []).map((part) => `${part.kind}: ${counts(part)}`);
  const byKind = (summary?.byKind ?? []).map((of) => `kind ${of.kind}: ${counts(of)}`);
  return [head, summary ? counts(summary) : "", ...byPart, ...byKind, training, message]
    .filter(Boolean)
    .join("\n");
}

function counts({ shifted, marginal, unshifted, tokens }: Counts): string {
  return `${shifted} shifted, ${marginal} marginal, ${unshifted} unshifted of ${tokens} tokens`;
}

function share(part: number, whole: number): string {
  return whole === 0 ? "0 %" : `${((100 * part) / whole).toFixed(1)} %`;
}
