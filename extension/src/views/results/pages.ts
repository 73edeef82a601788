// Results as read-only pages of plain text, with links into the file that they are of: no webview, so that they have the
// theme, the search and the screen reader of any text.
import * as vscode from "vscode";
import type { Range, TextPage } from "../../server/protocol";

const SCHEME = "shiftlens-result";
/** Run by the links of pages alone, with the number of a page and of a link. */
const GO = "_shiftlens.goToResultPlace";
const MESSAGE_MS = 5000;

interface Shown {
  page: TextPage;
  source: vscode.TextDocument;
  closed: () => void;
}

export class ResultPages
  implements vscode.Disposable, vscode.TextDocumentContentProvider, vscode.DocumentLinkProvider
{
  readonly #shown = new Map<string, Shown>();
  readonly #subscriptions = [
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
    vscode.languages.registerDocumentLinkProvider({ scheme: SCHEME }, this),
    vscode.commands.registerCommand(GO, (page: string, link: number) => this.#go(page, link)),
    // The editor tells of a document of ours minutes after its tab was closed.
    vscode.window.tabGroups.onDidChangeTabs(({ closed }) => {
      for (const query of closed.flatMap(queryOf)) {
        if (!vscode.window.tabGroups.all.some(({ tabs }) => tabs.flatMap(queryOf).includes(query))) {
          this.#shown.get(query)?.closed();
          this.#shown.delete(query);
        }
      }
    }),
  ];
  #count = 0;

  /** Show a page on a document beside it, under the document's name and `what` it is; `closed` is called at its end. */
  async show(what: string, source: vscode.TextDocument, page: TextPage, closed = () => {}): Promise<void> {
    this.#count += 1;
    const query = String(this.#count);
    this.#shown.set(query, { page, source, closed });
    const name = source.uri.path.split("/").at(-1) || source.uri.path;
    // The name does not end as a file's does: a page is plain text, whatever its file is.
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name} (${what})`, query });
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preview: false });
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.#shown.get(uri.query)?.page.text ?? "This page is closed. Run its command again.\n";
  }

  provideDocumentLinks({ uri }: vscode.TextDocument): vscode.DocumentLink[] {
    const links = this.#shown.get(uri.query)?.page.links ?? [];
    return links.map(({ range }, at) => {
      const target = vscode.Uri.parse(`command:${GO}?${encodeURIComponent(JSON.stringify([uri.query, at]))}`);
      const link = new vscode.DocumentLink(toRange(range), target);
      link.tooltip = "Go to this token";
      return link;
    });
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async #go(query: string, at: number): Promise<void> {
    const shown = this.#shown.get(query);
    const target = shown?.page.links[at]?.target;
    if (!shown || !target) {
      return;
    }
    const { source, page } = shown;
    const uri = source.uri.toString();
    const open = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri);
    const { start } = toRange(target);
    const editor = await vscode.window.showTextDocument(source.uri, {
      viewColumn: open?.viewColumn ?? vscode.ViewColumn.One,
      preview: false,
      selection: new vscode.Range(start, start),
    });
    editor.revealRange(toRange(target), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
    if (editor.document.version !== page.version) {
      vscode.window.setStatusBarMessage(
        "ShiftLens: the file has changed since, so that the token may stand elsewhere",
        MESSAGE_MS,
      );
    }
  }
}

/** The number of the page that a tab shows; none where it shows something else. */
function queryOf({ input }: vscode.Tab): string[] {
  return input instanceof vscode.TabInputText && input.uri.scheme === SCHEME ? [input.uri.query] : [];
}

export function toRange({ start, end }: Range): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}
