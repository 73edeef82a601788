// Shifted tokens in the editor, and going from one to the next.
import * as vscode from "vscode";
import { nextSpan, previousSpan, type Span, spansOfType } from "./tokens";

/** The shifted tokens that the editor would colour in a document now; undefined while nobody can tell. */
export async function shiftedSpans(uri: vscode.Uri): Promise<Span[] | undefined> {
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
    // The text has changed meanwhile: the server asks the editor to come again.
    return undefined;
  }
}

/** Move the cursor of `editor` to the next or the previous shifted token. */
export async function goToShifted(editor: vscode.TextEditor, direction: "next" | "previous"): Promise<void> {
  const spans = (await shiftedSpans(editor.document.uri)) ?? [];
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

export function toRange(span: Span): vscode.Range {
  return new vscode.Range(span.line, span.start, span.line, span.end);
}
