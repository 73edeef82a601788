// The report of a transcript, in a tab of its own. A webview, because it is the one way that works everywhere: a browser
// opens no file of another machine, nor one that it is told of by a page (code-server), and the editor's own view of an
// HTML file is its source. The page brings its own content security policy, which names its script by hash and lets
// nothing else in; saved, it is a file for any browser.
import * as vscode from "vscode";

const VIEW_TYPE = "shiftlens.report";
const IS_ACTIVE = "shiftlens.isReport";

interface Report {
  panel: vscode.WebviewPanel;
  html: string;
  source: vscode.Uri;
}

export class Reports implements vscode.Disposable {
  readonly #reports = new Map<string, Report>();

  /** Show a page on a document, in the tab of its earlier report where there is one. */
  show(source: vscode.Uri, html: string): void {
    const key = source.toString();
    const panel = this.#reports.get(key)?.panel ?? this.#open(key, nameOf(source));
    this.#reports.set(key, { panel, html, source });
    panel.webview.html = html;
    panel.reveal();
  }

  /** Ask where to save the report in front, and save it there. */
  async save(): Promise<void> {
    const report = [...this.#reports.values()].find(({ panel }) => panel.active);
    if (!report) {
      await vscode.window.showInformationMessage("Open a report first: ShiftLens: Open Report.");
      return;
    }
    const { source, html } = report;
    const target = await vscode.window.showSaveDialog({
      title: "Save the report",
      filters: { HTML: ["html"] },
      ...(source.scheme === "untitled" ? {} : { defaultUri: source.with({ path: `${source.path}.report.html` }) }),
    });
    if (target) {
      await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(html));
      vscode.window.setStatusBarMessage(`ShiftLens: report saved as ${nameOf(target)}`, 5000);
    }
  }

  dispose(): void {
    for (const { panel } of [...this.#reports.values()]) {
      panel.dispose();
    }
  }

  #open(key: string, name: string): vscode.WebviewPanel {
    const panel = vscode.window.createWebviewPanel(VIEW_TYPE, `Report: ${name}`, vscode.ViewColumn.Active, {
      enableScripts: true,
      enableFindWidget: true,
      localResourceRoots: [],
    });
    panel.onDidDispose(() => {
      this.#reports.delete(key);
      this.#setContextKeys();
    });
    panel.onDidChangeViewState(() => this.#setContextKeys());
    return panel;
  }

  #setContextKeys(): void {
    const active = [...this.#reports.values()].some(({ panel }) => panel.active);
    void vscode.commands.executeCommand("setContext", IS_ACTIVE, active);
  }
}

function nameOf(uri: vscode.Uri): string {
  return uri.path.split("/").at(-1) || uri.path;
}
