// The shifted tokens that an editor shows.
import * as vscode from "vscode";
import { type Span, spansOfType } from "./tokens";

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

export function toRange(span: Span): vscode.Range {
  return new vscode.Range(span.line, span.start, span.line, span.end);
}
