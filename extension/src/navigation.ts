// Shifted tokens in the editor: going from one to the next, and their marks in the overview ruler.
import * as vscode from "vscode";
import type { StatusParams } from "./protocol";
import { nextSpan, previousSpan, type Span, spansOfType } from "./tokens";

const HAS_SHIFTED = "shiftlens.hasShifted";

/** The shifted tokens that the editor would colour in a document now. */
export async function shiftedSpans(uri: vscode.Uri): Promise<Span[]> {
  try {
    const [legend, tokens] = await Promise.all([
      vscode.commands.executeCommand<vscode.SemanticTokensLegend | undefined>(
        "vscode.provideDocumentSemanticTokensLegend",
        uri,
      ),
      vscode.commands.executeCommand<vscode.SemanticTokens | undefined>(
        "vscode.provideDocumentSemanticTokens",
        uri,
      ),
    ]);
    return legend && tokens ? spansOfType(tokens.data, legend.tokenTypes, "shifted") : [];
  } catch {
    // The server asks the editor to come again later when it has nothing for this version of the text.
    return [];
  }
}

/** Move the cursor of `editor` to the next or the previous shifted token. */
export async function goToShifted(editor: vscode.TextEditor, direction: "next" | "previous"): Promise<void> {
  const spans = await shiftedSpans(editor.document.uri);
  const find = direction === "next" ? nextSpan : previousSpan;
  const span = find(spans, editor.selection.active);
  if (!span) {
    vscode.window.setStatusBarMessage("ShiftLens: no shifted token in this file", 3000);
    return;
  }
  const range = toRange(span);
  editor.selection = new vscode.Selection(range.start, range.start);
  editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

/** Marks shifted tokens in the overview ruler of every visible editor. */
export class Ruler implements vscode.Disposable {
  readonly #mark = vscode.window.createTextEditorDecorationType({
    overviewRulerColor: new vscode.ThemeColor("shiftlens.shiftedRuler"),
    overviewRulerLane: vscode.OverviewRulerLane.Right,
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  readonly #scored = new Set<string>();
  readonly #counts = new Map<string, number>();
  readonly #subscriptions: vscode.Disposable[] = [
    vscode.window.onDidChangeVisibleTextEditors((editors) => editors.map((editor) => this.#draw(editor))),
    vscode.window.onDidChangeActiveTextEditor(() => this.#tellCommands()),
  ];

  async statusChanged(params: StatusParams): Promise<void> {
    const uri = vscode.Uri.parse(params.uri).toString();
    if (params.state === "ready" || params.state === "scoring") {
      this.#scored.add(uri);
    } else if (params.state === "noTranscript" || params.state === "noPair" || params.state === "error") {
      this.#scored.delete(uri);
    }
    await this.#drawAll((editor) => editor.document.uri.toString() === uri);
  }

  async clear(): Promise<void> {
    this.#scored.clear();
    await this.#drawAll(() => true);
  }

  dispose(): void {
    vscode.Disposable.from(this.#mark, ...this.#subscriptions).dispose();
  }

  async #drawAll(which: (editor: vscode.TextEditor) => boolean): Promise<void> {
    await Promise.all(vscode.window.visibleTextEditors.filter(which).map((editor) => this.#draw(editor)));
  }

  async #draw(editor: vscode.TextEditor): Promise<void> {
    const uri = editor.document.uri;
    const scored = this.#scored.has(uri.toString());
    if (!scored && !this.#counts.has(uri.toString())) {
      return;
    }
    const version = editor.document.version;
    const spans = scored ? await shiftedSpans(uri) : [];
    // An edit in the meantime moves the marks by itself, and new ones come with the next status.
    if (editor.document.version === version) {
      editor.setDecorations(this.#mark, spans.map(toRange));
      this.#counts.set(uri.toString(), spans.length);
      this.#tellCommands();
    }
  }

  #tellCommands(): void {
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    const some = uri !== undefined && (this.#counts.get(uri) ?? 0) > 0;
    void vscode.commands.executeCommand("setContext", HAS_SHIFTED, some);
  }
}

function toRange(span: Span): vscode.Range {
  return new vscode.Range(span.line, span.start, span.line, span.end);
}
