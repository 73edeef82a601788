// Where things are written down: one channel for the extension and the server, one for the trace if it is asked for.
import * as vscode from "vscode";

export interface Logs extends vscode.Disposable {
  readonly main: vscode.LogOutputChannel;
  /** Made when it is first used, so that nobody sees an empty channel. */
  readonly trace: vscode.OutputChannel;
}

export function createLogs(): Logs {
  const main = vscode.window.createOutputChannel("ShiftLens", { log: true });
  let trace: vscode.OutputChannel | undefined;
  return {
    main,
    get trace() {
      trace ??= vscode.window.createOutputChannel("ShiftLens Trace");
      return trace;
    },
    dispose: () => {
      trace?.dispose();
      main.dispose();
    },
  };
}
