// What the status item says and offers, as plain values.
import type { State, StatusParams } from "../server/protocol";

export interface StatusText {
  text: string;
  detail: string;
  busy: boolean;
  severity: "information" | "warning" | "error";
  /** A command without arguments, and what it is called here. */
  action?: Action | undefined;
}

export interface Action {
  command: string;
  title: string;
}

export const BUSY: readonly State[] = ["waiting", "loading", "scoring"];

const ACTIONS: Record<State, Action | undefined> = {
  noTranscript: undefined,
  noResponse: undefined,
  noPair: { command: "shiftlens.chooseModels", title: "Choose Models" },
  notScored: { command: "shiftlens.scoreDocument", title: "Score" },
  waiting: { command: "shiftlens.cancelScoring", title: "Cancel" },
  loading: { command: "shiftlens.cancelScoring", title: "Cancel" },
  scoring: { command: "shiftlens.cancelScoring", title: "Cancel" },
  ready: { command: "shiftlens.showDistributions", title: "Show Distributions" },
  error: { command: "shiftlens.scoreDocument", title: "Try Again" },
};

/** Letters that a line of the card has room for; what is behind them, above all the action, is not on the screen. */
const ROOM = 64;

/** The beginning of the detail, as much as there is room for, cut between words where that is possible. */
export function shortDetail({ text, detail, action }: StatusText): string {
  const room = ROOM - text.length - (action?.title.length ?? 0);
  if (detail.length <= room) {
    return detail;
  }
  const cut = detail.slice(0, room - 1);
  return `${cut.slice(0, cut.lastIndexOf(" ") > room / 2 ? cut.lastIndexOf(" ") : undefined)}…`;
}

type StatusFields = Pick<StatusParams, "state" | "message" | "fraction" | "part">;

export function statusText(status: StatusFields): StatusText {
  const severities: Partial<Record<State, StatusText["severity"]>> = { error: "error", noPair: "warning" };
  return {
    text: `ShiftLens: ${words(status)}`,
    detail: status.message,
    busy: BUSY.includes(status.state),
    severity: severities[status.state] ?? "information",
    action: ACTIONS[status.state],
  };
}

function words({ state, fraction, part }: StatusFields): string {
  const of = part ? ` ${part[0]} of ${part[1]}` : "";
  switch (state) {
    case "noTranscript":
      return "No transcript";
    case "noResponse":
      return "Nothing to score";
    case "noPair":
      return "No model pair";
    case "notScored":
      return of ? `Scored${of}` : "Not scored";
    case "waiting":
      return "Waiting";
    case "loading":
      return typeof fraction === "number" ? `Loading models ${Math.round(100 * fraction)} %` : "Loading models";
    case "scoring":
      return `Scoring${of}`;
    case "ready":
      return "Shifts shown";
    case "error":
      return "Error";
    default:
      return state;
  }
}
