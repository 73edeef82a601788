// Tokens within the noise floor, greyed in the editors as long as what was measured holds.
import * as vscode from "vscode";
import type { NoiseFloorAnswer } from "../../server/protocol";
import { toRange } from "./pages";

const WHY = "ShiftLens: within the noise floor. Base and aligned model differ here by no more than rounding does.";

export class NoiseMarks implements vscode.Disposable {
  readonly #type = vscode.window.createTextEditorDecorationType({
    color: new vscode.ThemeColor("shiftlens.noise"),
    fontWeight: "normal",
    // Not by colour alone.
    textDecoration: "underline dotted",
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  readonly #marked = new Map<string, { answer: NoiseFloorAnswer; marks: vscode.DecorationOptions[] }>();
  readonly #subscriptions = [
    this.#type,
    vscode.window.onDidChangeVisibleTextEditors((editors) => {
      for (const editor of editors) {
        this.#draw(editor);
      }
    }),
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      // The floor is one of the whole file: of another text it is not known.
      if (contentChanges.length > 0) {
        this.clear(document.uri);
      }
    }),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#marked.delete(uri.toString())),
  ];

  /** Grey the tokens of an answer, instead of those that are grey in the document. */
  show(uri: vscode.Uri, answer: NoiseFloorAnswer): void {
    const ranges = answer.responses.flatMap(({ tokens }) => tokens.flatMap(({ range }) => (range ? [range] : [])));
    const marks = ranges.map((range) => ({ range: toRange(range), hoverMessage: WHY }));
    this.#marked.set(uri.toString(), { answer, marks });
    this.#drawAll(uri);
  }

  /** Grey nothing more in a document; with an answer, only if it is the one that is shown there. */
  clear(uri: vscode.Uri, answer?: NoiseFloorAnswer): void {
    const marked = this.#marked.get(uri.toString());
    if (marked && (answer === undefined || marked.answer === answer)) {
      this.#marked.delete(uri.toString());
      this.#drawAll(uri);
    }
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #drawAll(uri: vscode.Uri): void {
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document.uri.toString() === uri.toString()) {
        this.#draw(editor);
      }
    }
  }

  #draw(editor: vscode.TextEditor): void {
    editor.setDecorations(this.#type, this.#marked.get(editor.document.uri.toString())?.marks ?? []);
  }
}
