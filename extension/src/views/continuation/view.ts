// What a model would have said from the token at the cursor on, as a difference to what the response says; and the way
// from there into the file, as an alternative beside the response.
import * as vscode from "vscode";
import { type LanguageClient, ProgressType } from "vscode-languageclient/node";
import {
  type AlternativeAnswer,
  CONTINUE,
  type ContinueHeader,
  type ContinueParams,
  type ContinuePart,
  type Position,
  ServerCommand,
} from "../../server/protocol";
import { Written } from "./written";

const SCHEME = "shiftlens-continuation";
const IS_ACTIVE = "shiftlens.isContinuation";
const BEHIND_MS = 5000;

interface Voice extends vscode.QuickPickItem {
  alpha: number;
}

const VOICES: Voice[] = [
  { label: "Base model", description: "greedy: what it would have said", alpha: -1 },
  { label: "Aligned model", description: "greedy", alpha: 0 },
  { label: "Amplified", description: "greedy: aligned + 1 × (aligned − base), for one vocabulary", alpha: 1 },
];

/** A continuation that is shown, and where it goes on. */
interface Shown {
  uri: string;
  position: Position;
  version: number;
  written: Written;
}

export class Continuations implements vscode.Disposable, vscode.TextDocumentContentProvider {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.#changed.event;
  readonly #shown = new Map<string, Shown>();
  readonly #subscriptions = [
    this.#changed,
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
    vscode.window.onDidChangeActiveTextEditor((editor) => {
      const active = editor?.document.uri.scheme === SCHEME;
      void vscode.commands.executeCommand("setContext", IS_ACTIVE, active);
    }),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      // The response and the continuation are closed together; what one of them says is asked for again by neither.
      if (uri.scheme === SCHEME && uri.fragment === "") {
        this.#shown.delete(uri.query);
      }
    }),
  ];
  #count = 0;

  constructor(private readonly client: () => LanguageClient | undefined) {}

  provideTextDocumentContent(uri: vscode.Uri): string {
    const written = this.#shown.get(uri.query)?.written;
    return (uri.fragment === "said" ? written?.said : written?.text) ?? "";
  }

  /** Ask which model, and show how it goes on from the token at the cursor, as it is written. */
  async compare(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const client = this.client();
    if (!editor || !client) {
      return;
    }
    const position = client.code2ProtocolConverter.asPosition(editor.selection.active);
    const uri = client.code2ProtocolConverter.asUri(editor.document.uri);
    // That of the position: the file may be edited while the list is open.
    const { version } = editor.document;
    const title = "Who goes on from the token at the cursor?";
    const voice = await vscode.window.showQuickPick(VOICES, { title });
    if (!voice) {
      return;
    }
    this.#count += 1;
    const query = String(this.#count);
    const written = new Written(voice.alpha);
    this.#shown.set(query, { uri, position, version, written });
    const right = vscode.Uri.from({ scheme: SCHEME, path: `/${voice.label}`, query });
    const left = right.with({ path: "/Response", fragment: "said" });
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: `ShiftLens: ${voice.label} goes on`,
      cancellable: true,
    };
    await vscode.window.withProgress(options, async (_progress, token) => {
      let isOpen: Thenable<unknown> | undefined;
      await this.#ask(client, { uri, position, ...ofVoice(voice.alpha) }, token, (part) => {
        if (written.take(part)) {
          this.#changed.fire(left);
          this.#changed.fire(right);
        }
        const name = editor.document.uri.path.split("/").at(-1);
        isOpen ??= vscode.commands.executeCommand(
          "vscode.diff",
          left,
          right,
          `${name}: Response ↔ ${voice.label}`,
          {
            preview: false,
          } satisfies vscode.TextDocumentShowOptions,
        );
      });
      await isOpen;
    });
    const told = [written.ended && `${voice.label}: ${written.ended}`, ...written.notes].filter(Boolean);
    if (told.length > 0) {
      vscode.window.setStatusBarMessage(`ShiftLens: ${told.join("; ")}`, BEHIND_MS);
    }
  }

  /** Write the continuation in front beside the response that it was compared with. */
  async insert(): Promise<void> {
    const uri = vscode.window.activeTextEditor?.document.uri;
    const shown = uri?.scheme === SCHEME ? this.#shown.get(uri.query) : undefined;
    const client = this.client();
    if (!shown || !client) {
      await vscode.window.showInformationMessage("Compare a continuation first, and put the cursor into it.");
      return;
    }
    const source = client.protocol2CodeConverter.asUri(shown.uri);
    const document = await vscode.workspace.openTextDocument(source);
    if (document.version !== shown.version) {
      throw new Error("The file has changed since this continuation was written. Compare again.");
    }
    const answer = await client.sendRequest<AlternativeAnswer | null>("workspace/executeCommand", {
      command: ServerCommand.insertAlternative,
      arguments: [shown.uri, shown.position, shown.written.text],
    });
    if (answer === null) {
      throw new Error("No scored token stands there any more. Compare again.");
    }
    const start = client.protocol2CodeConverter.asRange(answer.range);
    await vscode.window.showTextDocument(document, { preview: false, selection: start });
    void vscode.window.showInformationMessage(`ShiftLens: The alternative was written as ${answer.as}.`);
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** Gives `take` each part of the answer. Rejects with why it can't be had. */
  async #ask(
    client: LanguageClient,
    asked: Omit<ContinueParams, "partialResultToken">,
    token: vscode.CancellationToken,
    take: (part: ContinuePart) => void,
  ): Promise<void> {
    const partialResultToken = `shiftlens-continue-${this.#count}`;
    const parts = client.onProgress(new ProgressType<ContinuePart>(), partialResultToken, take);
    try {
      const params: ContinueParams = { ...asked, partialResultToken };
      const answer = await client.sendRequest<(ContinueHeader & ContinuePart) | ContinuePart | null>(
        CONTINUE,
        params,
        token,
      );
      if (answer === null) {
        throw new Error("No scored token stands at the cursor.");
      }
    } catch (error) {
      if (!token.isCancellationRequested) {
        throw error;
      }
    } finally {
      parts.dispose();
    }
  }
}

/** The base and the aligned model write always, a third voice where its alpha is named. */
function ofVoice(alpha: number): { alpha?: number } {
  return alpha === -1 || alpha === 0 ? {} : { alpha };
}
