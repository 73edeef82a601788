// The reading view: any file of conversations as a read-only page of turns, written by the server, and the way back.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import type { AnalysisAnswer, Position } from "../../server/protocol";
import { ANALYSIS, PAGE_CONTENT, PAGE_SCHEME } from "../../server/protocol";
import { pageOf } from "./uri";

interface Location {
  uri: string;
  range: { start: Position };
}

export class ConversationPages implements vscode.Disposable, vscode.TextDocumentContentProvider {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.#changed.event;
  readonly #registration: vscode.Disposable;

  constructor(private readonly client: () => LanguageClient | undefined) {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(PAGE_SCHEME, this);
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const client = this.client();
    if (!client) {
      return "The ShiftLens server is not running.\n";
    }
    const params = { uri: client.code2ProtocolConverter.asUri(uri) };
    return (await client.sendRequest<{ text: string }>(PAGE_CONTENT, params)).text;
  }

  /** The file of a page has changed. */
  fileChanged(uri: string): void {
    this.#changed.fire(vscode.Uri.parse(uri));
  }

  /** Open the page of a file (else of the active one), at one of its responses if asked for. */
  async open(source: vscode.Uri | undefined, response?: number): Promise<void> {
    const file = source ?? vscode.window.activeTextEditor?.document.uri;
    if (!file || file.scheme === PAGE_SCHEME) {
      return;
    }
    const page = vscode.Uri.from(pageOf(file));
    const document = await vscode.workspace.openTextDocument(page);
    const editor = await vscode.window.showTextDocument(document, { preview: false });
    const position = response === undefined ? undefined : await this.#positionOf(page, response);
    if (position) {
      show(editor, position);
    }
  }

  /** From the cursor in a page to the place in its file. */
  async showSource(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const client = this.client();
    if (!editor || !client || editor.document.uri.scheme !== PAGE_SCHEME) {
      return;
    }
    const found = await client.sendRequest<Location | null>("textDocument/definition", {
      textDocument: client.code2ProtocolConverter.asTextDocumentIdentifier(editor.document),
      position: client.code2ProtocolConverter.asPosition(editor.selection.active),
    });
    if (found) {
      const { line, character } = found.range.start;
      const uri = client.protocol2CodeConverter.asUri(found.uri);
      show(await vscode.window.showTextDocument(uri, { preview: false }), new vscode.Position(line, character));
    } else {
      void vscode.window.showInformationMessage("ShiftLens: what is here has no line of its own in a text file.");
    }
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }

  async #positionOf(page: vscode.Uri, response: number): Promise<vscode.Position | undefined> {
    const client = this.client();
    const params = { uri: client?.code2ProtocolConverter.asUri(page) };
    const answer = await client?.sendRequest<AnalysisAnswer | null>(ANALYSIS, params);
    const start = answer?.responses.find(({ index }) => index === response)?.range?.start;
    return start && new vscode.Position(start.line, start.character);
  }
}

function show(editor: vscode.TextEditor, position: vscode.Position): void {
  editor.selection = new vscode.Selection(position, position);
  editor.revealRange(new vscode.Range(position, position), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}
