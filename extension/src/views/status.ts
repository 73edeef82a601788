// The status item of the active document.
import * as vscode from "vscode";
import type { StatusParams } from "../server/protocol";
import { SECTION } from "../server/settings";
import { type Action, type StatusText, shortDetail, statusText } from "./statusText";

const SHOW_LOG: Action = { command: "shiftlens.showLog", title: "Show Log" };

const SEVERITIES = {
  information: vscode.LanguageStatusSeverity.Information,
  warning: vscode.LanguageStatusSeverity.Warning,
  error: vscode.LanguageStatusSeverity.Error,
};

/** Remembers the last status of every document and shows that of the active one, or the server's own problem. */
export class Status implements vscode.Disposable {
  readonly #item: vscode.LanguageStatusItem;
  readonly #statuses = new Map<string, StatusParams>();
  readonly #subscriptions: vscode.Disposable[];
  #problem: StatusText | undefined;

  constructor(selector: vscode.DocumentSelector) {
    this.#item = vscode.languages.createLanguageStatusItem(SECTION, selector);
    this.#item.name = "ShiftLens";
    this.#subscriptions = [
      this.#item,
      vscode.window.onDidChangeActiveTextEditor(() => this.#show()),
      vscode.workspace.onDidCloseTextDocument((document) => this.#statuses.delete(document.uri.toString())),
    ];
    this.starting();
  }

  set selector(selector: vscode.DocumentSelector) {
    this.#item.selector = selector;
  }

  starting(): void {
    this.#inform({ text: "ShiftLens: Starting", detail: "", busy: true, severity: "information" });
  }

  running(): void {
    this.#inform(undefined);
  }

  /** `remedy` is what the item offers in place of the log. */
  failed(problem: string, remedy: Action = SHOW_LOG): void {
    this.#inform({
      text: "ShiftLens: No server",
      detail: problem,
      busy: false,
      severity: "error",
      action: remedy,
    });
  }

  update(status: StatusParams): void {
    this.#statuses.set(vscode.Uri.parse(status.uri).toString(), status);
    this.#show();
  }

  of(uri: vscode.Uri): StatusParams | undefined {
    return this.#statuses.get(uri.toString());
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #inform(problem: StatusText | undefined): void {
    this.#problem = problem;
    if (problem) {
      this.#statuses.clear();
    }
    this.#show();
  }

  #show(): void {
    const uri = vscode.window.activeTextEditor?.document.uri;
    const status = uri && this.of(uri);
    const words = this.#problem ?? statusText(status ?? { state: "noTranscript", message: "", fraction: null });
    const { text, detail, busy, severity, action } = words;
    this.#item.text = text;
    this.#item.detail = shortDetail(words);
    this.#item.busy = busy;
    this.#item.severity = SEVERITIES[severity];
    this.#item.accessibilityInformation = { label: detail ? `${text}. ${detail}` : text };
    this.#item.command = action;
  }
}
