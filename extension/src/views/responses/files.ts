// The transcripts that the Responses view lists: those that are open, and those of the folder if asked for.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { ANALYSIS, type AnalysisAnswer, type StatusParams, SURVEY } from "../../server/protocol";
import { type Row, rowsOf } from "./rows";

const ASK_AFTER_MS = 150;
const FILES = "**/*.{txt,md,markdown,json,jsonl}";
const NOT_IN = "**/node_modules/**";
const MOST_FILES = 1000;

/** A transcript with what the server last answered of it. */
export interface ListedFile {
  uri: vscode.Uri;
  /** The last part of its path. */
  file: string;
  answer: AnalysisAnswer;
  rows: readonly Row[];
}

export class ListedFiles implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #files = new Map<string, ListedFile>();
  /** Files that stay listed when they are closed. */
  readonly #ofFolder = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #subscriptions = [
    this.#changed,
    vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#closed(uri)),
  ];

  constructor(private readonly client: () => LanguageClient | undefined) {}

  /** That of the active editor first, the others by their URIs. */
  all(): ListedFile[] {
    const active = vscode.window.activeTextEditor?.document.uri.toString();
    return [...this.#files]
      .sort(([a], [b]) => Number(b === active) - Number(a === active) || a.localeCompare(b))
      .map(([, file]) => file);
  }

  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  /** A document may have new scores, or none any more. */
  statusChanged(status: StatusParams): void {
    const uri = vscode.Uri.parse(status.uri);
    const key = uri.toString();
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => void this.#ask(uri, status.uri), ASK_AFTER_MS),
    );
  }

  /** Look through the folders of the workspace for transcripts, with their cached scores; how many were found. */
  async addFolder(): Promise<number> {
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: "ShiftLens: Looking for transcripts",
      cancellable: true,
    };
    return vscode.window.withProgress(options, async (progress, cancel) => {
      const uris = await vscode.workspace.findFiles(FILES, NOT_IN, MOST_FILES, cancel);
      let transcripts = 0;
      for (const [at, uri] of uris.entries()) {
        if (cancel.isCancellationRequested) {
          break;
        }
        progress.report({ message: `${at + 1} of ${uris.length} files`, increment: 100 / uris.length });
        transcripts += (await this.#survey(uri)) ? 1 : 0;
      }
      return transcripts;
    });
  }

  /** Where a response begins now, which may be elsewhere than when it was listed. */
  async positionOf(file: ListedFile, index: number): Promise<vscode.Position | undefined> {
    const uri = this.client()?.code2ProtocolConverter.asUri(file.uri);
    const answer = (uri && (await this.#answer(uri))) || file.answer;
    const range = answer.responses.find((response) => response.index === index)?.range;
    return range ? new vscode.Position(range.start.line, range.start.character) : undefined;
  }

  dispose(): void {
    for (const timer of this.#timers.values()) {
      clearTimeout(timer);
    }
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** False for what is no transcript. What is open is listed already. */
  async #survey(uri: vscode.Uri): Promise<boolean> {
    const key = uri.toString();
    if (vscode.workspace.textDocuments.some((document) => document.uri.toString() === key)) {
      if (this.#files.has(key)) {
        this.#ofFolder.add(key);
      }
      return this.#files.has(key);
    }
    const answer = await this.#answer(this.client()?.code2ProtocolConverter.asUri(uri) ?? key, SURVEY);
    if (answer) {
      this.#ofFolder.add(key);
      this.#set(uri, answer);
    }
    return Boolean(answer);
  }

  #closed(uri: vscode.Uri): void {
    const key = uri.toString();
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    if (this.#ofFolder.delete(key)) {
      // What was not saved is gone: the file on disk counts again.
      void this.#survey(uri).then((isTranscript) => isTranscript || this.#forget(key));
    } else {
      this.#forget(key);
    }
  }

  async #ask(uri: vscode.Uri, wireUri: string): Promise<void> {
    const answer = await this.#answer(wireUri);
    if (answer === undefined) {
      return;
    }
    if (answer && answer.responses.length > 0) {
      this.#set(uri, answer);
    } else {
      this.#forget(uri.toString());
    }
  }

  /** Null for a document that is not open, undefined if nobody could be asked. */
  async #answer(uri: string, method = ANALYSIS): Promise<AnalysisAnswer | null | undefined> {
    try {
      return await this.client()?.sendRequest<AnalysisAnswer | null>(method, { uri });
    } catch {
      return undefined;
    }
  }

  #set(uri: vscode.Uri, answer: AnalysisAnswer): void {
    const file = uri.path.split("/").at(-1) || uri.path;
    this.#files.set(uri.toString(), { uri, file, answer, rows: rowsOf(answer) });
    this.#changed.fire();
  }

  #forget(key: string): void {
    if (this.#files.delete(key)) {
      this.#changed.fire();
    }
  }
}
