// What the status item says, as plain values.
import type { State, StatusParams } from "./protocol";

export interface StatusText {
  text: string;
  detail: string;
  busy: boolean;
  severity: "information" | "warning" | "error";
}

const WORDS: Record<State, string> = {
  noTranscript: "No transcript",
  noPair: "No model pair",
  waiting: "Waiting",
  loading: "Loading models",
  scoring: "Scoring",
  ready: "Shifts shown",
  error: "Error",
};

const BUSY: readonly State[] = ["waiting", "loading", "scoring"];

export function statusText(status: Pick<StatusParams, "state" | "message" | "fraction">): StatusText {
  const words = WORDS[status.state] ?? status.state;
  const percent = typeof status.fraction === "number" ? ` ${Math.round(100 * status.fraction)} %` : "";
  const severities: Partial<Record<State, StatusText["severity"]>> = { error: "error", noPair: "warning" };
  return {
    text: `ShiftLens: ${words}${percent}`,
    detail: status.message,
    busy: BUSY.includes(status.state),
    severity: severities[status.state] ?? "information",
  };
}
