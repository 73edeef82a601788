// Where the server has the editor go to.
import * as vscode from "vscode";
import type { WindowMiddleware } from "vscode-languageclient/node";

/**
 * Have the cursor stand where the place begins: the client alone puts it behind what it selects, and the panel would
 * show the token after it.
 */
export const showDocument: NonNullable<WindowMiddleware["showDocument"]> = async (params, next) => {
  const source = new vscode.CancellationTokenSource();
  try {
    const answer = await next(params, source.token);
    const editor = vscode.window.activeTextEditor;
    if (params.selection && editor?.document.uri.toString() === vscode.Uri.parse(params.uri).toString()) {
      const { start, end } = editor.selection;
      editor.selection = new vscode.Selection(end, start);
    }
    return answer instanceof Error ? { success: false } : answer;
  } finally {
    source.dispose();
  }
};
