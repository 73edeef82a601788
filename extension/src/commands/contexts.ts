// Context keys by which commands are offered: what the active document's status allows.
import * as vscode from "vscode";
import type { State, StatusParams } from "../server/protocol";
import { BUSY } from "../views/statusText";

export class CommandContexts implements vscode.Disposable {
  readonly #states = new Map<string, State>();
  #isRunning = false;
  readonly #subscriptions = [
    vscode.window.onDidChangeActiveTextEditor(() => this.#setContextKeys()),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#states.delete(uri.toString())),
  ];

  statusChanged(status: StatusParams): void {
    this.#states.set(vscode.Uri.parse(status.uri).toString(), status.state);
    this.#setContextKeys();
  }

  /** Without a server no document stands anywhere. */
  serverChanged(isRunning: boolean): void {
    this.#isRunning = isRunning;
    if (!isRunning) {
      this.#states.clear();
    }
    this.#setContextKeys();
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #setContextKeys(): void {
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    const state = uri === undefined ? undefined : this.#states.get(uri);
    const keys = {
      "shiftlens.isTranscript": state !== undefined && state !== "noTranscript",
      "shiftlens.isBusy": state !== undefined && BUSY.includes(state),
      "shiftlens.isScored": state === "ready",
      "shiftlens.hasServer": this.#isRunning,
    };
    for (const [key, value] of Object.entries(keys)) {
      void vscode.commands.executeCommand("setContext", key, value);
    }
  }
}
