// What to put into a bug report, as a read-only document. It holds no text of any transcript.
import * as vscode from "vscode";
import { ServerCommand } from "../server/protocol";
import { describe } from "../server/resolve";
import type { Server } from "../server/server";

const SCHEME = "shiftlens-debug";

export class DebugInformation implements vscode.Disposable, vscode.TextDocumentContentProvider {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  readonly #uri = vscode.Uri.from({ scheme: SCHEME, path: "ShiftLens debug information.json" });
  readonly onDidChange = this.#changed.event;

  constructor(private readonly server: Server) {}

  async show(): Promise<void> {
    this.#changed.fire(this.#uri);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(this.#uri), { preview: true });
  }

  async provideTextDocumentContent(): Promise<string> {
    const { client, resolution } = this.server;
    const editor = vscode.workspace.getConfiguration("editor");
    const information = {
      editor: {
        version: vscode.version,
        extension: vscode.extensions.getExtension("shiftlens.shiftlens")?.packageJSON.version,
        remote: vscode.env.remoteName ?? null,
        trusted: vscode.workspace.isTrusted,
        themeKind: vscode.ColorThemeKind[vscode.window.activeColorTheme.kind],
        semanticHighlighting: editor.get("semanticHighlighting.enabled"),
      },
      command: resolution ? describe(resolution) : null,
      running: client !== undefined,
      server: client ? await this.#ask(client) : null,
    };
    return JSON.stringify(information, undefined, 2);
  }

  dispose(): void {
    vscode.Disposable.from(this.#registration, this.#changed).dispose();
  }

  async #ask(client: NonNullable<Server["client"]>): Promise<unknown> {
    const params = { command: ServerCommand.debugInformation, arguments: [] };
    try {
      return await client.sendRequest("workspace/executeCommand", params);
    } catch (error) {
      return `No answer: ${error instanceof Error ? error.message : error}`;
    }
  }
}
