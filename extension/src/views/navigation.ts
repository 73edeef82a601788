// Going to the next shifted token or run.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { type Direction, NEXT, type NextAnswer, type NextParams, type Target } from "../server/protocol";

const MESSAGE_MS = 3000;
const TARGETS: Readonly<Record<Target, string>> = { token: "shifted token", run: "run of shifted tokens" };

export class Navigation {
  /** The move under way. Each begins where the one before it led: keys may come quicker than answers. */
  #move: Promise<void> = Promise.resolve();

  constructor(private readonly client: () => LanguageClient | undefined) {}

  /** Move the cursor of an editor to the next or the previous shifted token or run, round the ends of the file. */
  go(editor: vscode.TextEditor, of: Target, direction: Direction): Promise<void> {
    const move = this.#move.then(() => this.#go(editor, of, direction));
    this.#move = move.catch(() => undefined);
    return move;
  }

  async #go(editor: vscode.TextEditor, of: Target, direction: Direction): Promise<void> {
    const found = await this.#ask(editor, of, direction);
    if (found === undefined) {
      say("the text has just changed, or no server is running");
    } else if (found === null) {
      say(`no ${TARGETS[of]} is known in this file`);
    } else {
      const { start, end } = found.range;
      const range = new vscode.Range(start.line, start.character, end.line, end.character);
      editor.selection = new vscode.Selection(range.start, range.start);
      editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
      const messages = [
        of === "run" ? `${found.shifted} of ${found.tokens} tokens are shifted` : "",
        found.wrapped ? `went on from the ${direction === "next" ? "start" : "end"} of the file` : "",
        found.complete ? "" : "the file is not scored to its end",
      ].filter(Boolean);
      if (messages.length > 0) {
        say(messages.join("; "));
      }
    }
  }

  /** Null where there is nothing to go to, undefined if nobody could tell. */
  async #ask(
    { document, selection }: vscode.TextEditor,
    of: Target,
    direction: Direction,
  ): Promise<NextAnswer | null | undefined> {
    const client = this.client();
    const convert = client?.code2ProtocolConverter;
    if (!client || !convert) {
      return undefined;
    }
    const uri = convert.asUri(document.uri);
    const params: NextParams = { uri, position: convert.asPosition(selection.active), of, direction };
    try {
      return await client.sendRequest<NextAnswer | null>(NEXT, params);
    } catch {
      return undefined;
    }
  }
}

function say(message: string): void {
  vscode.window.setStatusBarMessage(`ShiftLens: ${message}`, MESSAGE_MS);
}
