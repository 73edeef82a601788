// Marks of shifted tokens in the overview ruler, in the colours of the palette.
import * as vscode from "vscode";
import type { StatusParams } from "../server/protocol";
import { SECTION } from "../server/settings";
import { palette } from "./colours/palette";
import { shiftedSpans, toRange } from "./shiftedSpans";

const HAS_SHIFTED = "shiftlens.hasShifted";
const SOON_MS = 100;

/** Marks shifted tokens in every visible editor, and tells commands whether there are any. */
export class Ruler implements vscode.Disposable {
  readonly #marks = {
    default: markOf("shiftlens.shiftedRuler"),
    colourBlind: markOf("shiftlens.shiftedRulerColourBlind"),
  };
  /** How many marks each document has; documents without a status have none and no entry. */
  readonly #counts = new Map<string, number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #subscriptions: vscode.Disposable[] = [
    vscode.window.onDidChangeVisibleTextEditors(() => this.#drawAll(() => true)),
    vscode.window.onDidChangeActiveTextEditor(() => this.#setContextKeys()),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#counts.delete(uri.toString())),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(`${SECTION}.palette`)) {
        this.#drawAll(() => true);
      }
    }),
  ];

  /** A document may have other colours now. */
  statusChanged(params: StatusParams): void {
    const uri = vscode.Uri.parse(params.uri).toString();
    this.#counts.set(uri, this.#counts.get(uri) ?? 0);
    clearTimeout(this.#timers.get(uri));
    this.#timers.set(
      uri,
      setTimeout(() => {
        this.#timers.delete(uri);
        this.#drawAll((editor) => editor.document.uri.toString() === uri);
      }, SOON_MS),
    );
  }

  dispose(): void {
    for (const timer of this.#timers.values()) {
      clearTimeout(timer);
    }
    vscode.Disposable.from(...Object.values(this.#marks), ...this.#subscriptions).dispose();
  }

  #drawAll(which: (editor: vscode.TextEditor) => boolean): void {
    for (const editor of vscode.window.visibleTextEditors.filter(which)) {
      void this.#draw(editor);
    }
  }

  async #draw(editor: vscode.TextEditor): Promise<void> {
    const uri = editor.document.uri;
    if (!this.#counts.has(uri.toString())) {
      return;
    }
    const version = editor.document.version;
    const spans = await shiftedSpans(uri);
    // An edit in the meantime moves the marks by itself, and new ones come with the next status.
    if (spans && editor.document.version === version) {
      const shown = palette(uri);
      for (const [name, mark] of Object.entries(this.#marks)) {
        editor.setDecorations(mark, name === shown ? spans.map(toRange) : []);
      }
      this.#counts.set(uri.toString(), spans.length);
      this.#setContextKeys();
    }
  }

  #setContextKeys(): void {
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    const some = uri !== undefined && (this.#counts.get(uri) ?? 0) > 0;
    void vscode.commands.executeCommand("setContext", HAS_SHIFTED, some);
  }
}

function markOf(colour: string): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    overviewRulerColor: new vscode.ThemeColor(colour),
    overviewRulerLane: vscode.OverviewRulerLane.Right,
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
}
