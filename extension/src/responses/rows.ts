// The responses of a document as rows of the view. Plain values, no editor.
import type { AnalysisAnswer, ResponseState, ResponseSummary, State } from "../protocol";
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
      detail: detail(index, response.message, summary),
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
  if (summary) {
    return share(summary.shifted, summary.tokens);
  }
  return BUSY.includes(file) ? "waiting" : "not scored";
}

function description(prompt: string, state: ResponseState, summary: ResponseSummary | null): string {
  if (!summary) {
    return prompt;
  }
  return `${prompt} (${summary.shifted} of ${summary.tokens} shifted${state === "partial" ? " so far" : ""})`;
}

function detail(index: number, message: string, summary: ResponseSummary | null): string {
  const counts = summary
    ? `${summary.shifted} shifted, ${summary.marginal} marginal, ${summary.unshifted} unshifted of ${summary.tokens} tokens`
    : "";
  return [`Response ${index + 1}`, counts, message].filter(Boolean).join("\n");
}

function share(part: number, whole: number): string {
  return whole === 0 ? "0 %" : `${((100 * part) / whole).toFixed(1)} %`;
}
