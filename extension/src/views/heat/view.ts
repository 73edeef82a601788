// Heat in the editors: backgrounds by KL or by the base model's probability.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { type StatusParams, TOKENS, type TokensAnswer } from "../../server/protocol";
import { type HeatMode, legend, nextMode, STEPS, spansByStep } from "./scale";

const MODE_KEY = "shiftlens.heat";

export class Heat implements vscode.Disposable {
  readonly #steps = Array.from({ length: STEPS }, (_, step) =>
    vscode.window.createTextEditorDecorationType({
      backgroundColor: new vscode.ThemeColor(`shiftlens.heat${step + 1}`),
      rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
    }),
  );
  readonly #subscriptions: vscode.Disposable[];
  #mode: HeatMode;

  constructor(
    private readonly client: () => LanguageClient | undefined,
    private readonly memory: vscode.Memento,
  ) {
    this.#mode = memory.get<HeatMode>(MODE_KEY, "off");
    this.#subscriptions = [
      ...this.#steps,
      vscode.window.onDidChangeVisibleTextEditors(() => void this.#drawAll()),
    ];
  }

  /** Off, KL, base probability, off. Says which one it is now, and what its steps mean. */
  async toggle(): Promise<void> {
    this.#mode = nextMode(this.#mode);
    await this.memory.update(MODE_KEY, this.#mode);
    vscode.window.setStatusBarMessage(`ShiftLens ${legend(this.#mode)}`, 6000);
    await this.#drawAll();
  }

  statusChanged(status: StatusParams): void {
    if (this.#mode !== "off") {
      const uri = vscode.Uri.parse(status.uri).toString();
      void this.#drawAll((editor) => editor.document.uri.toString() === uri);
    }
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async #drawAll(which: (editor: vscode.TextEditor) => boolean = () => true): Promise<void> {
    await Promise.all(vscode.window.visibleTextEditors.filter(which).map((editor) => this.#draw(editor)));
  }

  async #draw(editor: vscode.TextEditor): Promise<void> {
    const version = editor.document.version;
    const answer = await this.#ask(editor.document.uri);
    // After an edit in the meantime the backgrounds that are there are nearer to the truth; a status will follow.
    if (answer === undefined || editor.document.version !== version) {
      return;
    }
    const spans = answer ? spansByStep(this.#mode, answer) : [];
    for (const [step, type] of this.#steps.entries()) {
      const ranges = (spans[step] ?? []).map(({ line, start, end }) => new vscode.Range(line, start, line, end));
      editor.setDecorations(type, ranges);
    }
  }

  /** Null where there is nothing to show, undefined if there was no answer. */
  async #ask(uri: vscode.Uri): Promise<TokensAnswer | null | undefined> {
    const client = this.client();
    if (this.#mode === "off" || !client) {
      return null;
    }
    try {
      return await client.sendRequest<TokensAnswer | null>(TOKENS, {
        uri: client.code2ProtocolConverter.asUri(uri),
      });
    } catch {
      return undefined;
    }
  }
}
