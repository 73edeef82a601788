// Asking the server for what takes a while: its progress in a notification, which can be cancelled.
import * as vscode from "vscode";
import { type LanguageClient, WorkDoneProgress } from "vscode-languageclient/node";

let count = 0;

/** The answer of the server; undefined where the user cancelled it. Rejects with why it can't be had. */
export async function askWithProgress<A>(
  client: LanguageClient,
  method: string,
  params: object,
  title: string,
): Promise<A | undefined> {
  count += 1;
  const workDoneToken = `shiftlens-result-${count}`;
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: `ShiftLens: ${title}`,
    cancellable: true,
  };
  return vscode.window.withProgress(options, async (progress, token) => {
    let shown = 0;
    const parts = client.onProgress(WorkDoneProgress.type, workDoneToken, (value) => {
      if (value.kind === "report") {
        const percentage = value.percentage ?? shown;
        progress.report({ message: value.message ?? "", increment: Math.max(0, percentage - shown) });
        shown = Math.max(shown, percentage);
      }
    });
    try {
      return await client.sendRequest<A>(method, { ...params, workDoneToken }, token);
    } catch (error) {
      if (token.isCancellationRequested) {
        return undefined;
      }
      throw error;
    } finally {
      parts.dispose();
    }
  });
}
