// The Token Distributions panel: follows the cursor and shows what both models would have said there.
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { type StatusParams, TOKEN, type TokenAnswer } from "../../server/protocol";
import { SECTION } from "../../server/settings";
import { palette } from "../colours/palette";
import type { Navigation } from "../navigation";
import { pageHtml } from "./html";
import type { FromPage, ToPage } from "./messages";

const VIEW = "shiftlens.distributions";
const REST_MS = 60;
const NO_TOKEN = "Put the cursor on a token of a scored response.";

export class DistributionsView implements vscode.WebviewViewProvider, vscode.Disposable {
  #view: vscode.WebviewView | undefined;
  #editor = vscode.window.activeTextEditor;
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;
  readonly #subscriptions: vscode.Disposable[];

  constructor(
    private readonly extension: vscode.Uri,
    private readonly client: () => LanguageClient | undefined,
    private readonly navigation: Navigation,
  ) {
    this.#subscriptions = [
      vscode.window.registerWebviewViewProvider(VIEW, this),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.#follow(textEditor)),
      vscode.window.onDidChangeActiveTextEditor((editor) => editor && this.#follow(editor)),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(`${SECTION}.palette`)) {
          this.#schedule();
        }
      }),
    ];
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    const media = vscode.Uri.joinPath(this.extension, "media");
    const out = vscode.Uri.joinPath(this.extension, "out");
    this.#view = view;
    view.webview.options = { enableScripts: true, localResourceRoots: [media, out] };
    view.webview.html = pageHtml({
      cspSource: view.webview.cspSource,
      nonce: randomBytes(16).toString("hex"),
      script: view.webview.asWebviewUri(vscode.Uri.joinPath(out, "panel.js")).toString(),
      style: view.webview.asWebviewUri(vscode.Uri.joinPath(media, "panel.css")).toString(),
    });
    view.webview.onDidReceiveMessage((message: FromPage) => this.#receive(message));
    view.onDidChangeVisibility(() => this.#schedule());
    view.onDidDispose(() => {
      this.#view = undefined;
    });
  }

  /** New scores may be there for the token that is shown. */
  statusChanged(status: StatusParams): void {
    if (this.#editor && vscode.Uri.parse(status.uri).toString() === this.#editor.document.uri.toString()) {
      this.#schedule();
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #follow(editor: vscode.TextEditor): void {
    if (editor.document.uri.scheme === "file" || editor.document.uri.scheme === "untitled") {
      this.#editor = editor;
      this.#schedule();
    }
  }

  async #receive(message: FromPage): Promise<void> {
    if (message.kind === "ready") {
      this.#schedule();
    } else if (this.#editor) {
      const document = this.#editor.document;
      const shown = vscode.window.visibleTextEditors.find((editor) => editor.document === document);
      const editor = shown ?? (await vscode.window.showTextDocument(document, { preserveFocus: true }));
      await this.navigation.go(editor, "token", message.direction === "next" ? "next" : "previous");
    }
  }

  /** Ask when the cursor has come to rest. */
  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#update(), REST_MS);
  }

  async #update(): Promise<void> {
    if (!this.#view?.visible) {
      return;
    }
    this.#asked += 1;
    const asked = this.#asked;
    const answer = await this.#ask();
    if (asked === this.#asked) {
      const shown = palette(this.#editor?.document.uri);
      const message: ToPage = answer
        ? { kind: "token", answer, palette: shown }
        : { kind: "empty", message: NO_TOKEN, palette: shown };
      await this.#view?.webview.postMessage(message);
    }
  }

  async #ask(): Promise<TokenAnswer | null> {
    const client = this.client();
    const editor = this.#editor;
    if (!client || !editor) {
      return null;
    }
    try {
      return await client.sendRequest<TokenAnswer | null>(TOKEN, {
        uri: client.code2ProtocolConverter.asUri(editor.document.uri),
        position: client.code2ProtocolConverter.asPosition(editor.selection.active),
      });
    } catch {
      return null;
    }
  }
}
