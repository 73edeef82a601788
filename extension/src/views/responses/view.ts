// The Responses view: every open transcript, and those of the folder if asked for, with their responses, how much of
// each was shifted, and the way to it.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { ANALYSIS, type AnalysisAnswer, type StatusParams, SURVEY } from "../../server/protocol";
import { describeFile, type Order, type Row, rowsOf } from "./rows";

const VIEW = "shiftlens.responses";
const ORDER_KEY = "shiftlens.responsesOrder";
const HAS_TRANSCRIPT = "shiftlens.hasTranscript";
const SOON_MS = 150;
const FILES = "**/*.{txt,md,markdown,json,jsonl}";
const NOT_IN = "**/node_modules/**";
const MOST_FILES = 1000;

interface FileNode {
  kind: "file";
  uri: vscode.Uri;
  answer: AnalysisAnswer;
}

export interface ResponseNode {
  kind: "response";
  file: FileNode;
  row: Row;
}

type Node = FileNode | ResponseNode;

const ICONS: Record<Row["state"], string> = {
  scored: "comment",
  partial: "loading~spin",
  pending: "circle-outline",
  refused: "circle-slash",
  notScored: "circle-outline",
};

export class ResponsesView implements vscode.Disposable, vscode.TreeDataProvider<Node> {
  readonly #changed = new vscode.EventEmitter<Node | undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #view: vscode.TreeView<Node>;
  readonly #files = new Map<string, FileNode>();
  /** Files that stay in the view when they are closed. */
  readonly #ofFolder = new Set<string>();
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  readonly #subscriptions: vscode.Disposable[];
  #order: Order;

  constructor(
    private readonly client: () => LanguageClient | undefined,
    private readonly memory: vscode.Memento,
  ) {
    this.#order = memory.get<Order>(ORDER_KEY, "file");
    this.#view = vscode.window.createTreeView(VIEW, { treeDataProvider: this });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      vscode.window.onDidChangeActiveTextEditor((editor) => editor && this.#changed.fire(undefined)),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#closed(uri)),
    ];
    this.#setContextKeys();
  }

  /** A document may have new scores, or none any more. */
  statusChanged(status: StatusParams): void {
    const uri = vscode.Uri.parse(status.uri);
    const key = uri.toString();
    clearTimeout(this.#waiting.get(key));
    this.#waiting.set(
      key,
      setTimeout(() => void this.#ask(uri, status.uri), SOON_MS),
    );
  }

  /** Styling through the folders of the workspace for transcripts, and list them with the scores that are kept. */
  async listFolder(): Promise<void> {
    const found = await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: "ShiftLens: Looking for transcripts",
        cancellable: true,
      },
      async (progress, cancel) => {
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
      },
    );
    if (found === 0) {
      void vscode.window.showInformationMessage("ShiftLens: no transcript was found in this folder.");
    } else {
      await vscode.commands.executeCommand(`${VIEW}.focus`);
    }
  }

  /** File order, or the most shifted first. */
  async sort(order: Order): Promise<void> {
    this.#order = order;
    await this.memory.update(ORDER_KEY, order);
    this.#setContextKeys();
    this.#changed.fire(undefined);
  }

  /** Show where a response stands in its file. */
  async reveal(node: ResponseNode): Promise<void> {
    const start = await this.positionOf(node);
    const editor = await vscode.window.showTextDocument(node.file.uri, { preview: false });
    if (start) {
      editor.selection = new vscode.Selection(start, start);
      editor.revealRange(new vscode.Range(start, start), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
    }
  }

  /** Where a response begins now, which may be elsewhere than when its row was drawn. */
  async positionOf({ file, row }: ResponseNode): Promise<vscode.Position | undefined> {
    const uri = this.client()?.code2ProtocolConverter.asUri(file.uri);
    const answer = (uri && (await this.#answer(uri))) || file.answer;
    const range = answer.responses.find(({ index }) => index === row.index)?.range;
    return range ? new vscode.Position(range.start.line, range.start.character) : undefined;
  }

  getChildren(node?: Node): Node[] {
    if (node) {
      const rows = node.kind === "file" ? rowsOf(node.answer, this.#order) : [];
      return rows.map((row) => ({ kind: "response", file: node as FileNode, row }));
    }
    const active = vscode.window.activeTextEditor?.document.uri.toString();
    const files = [...this.#files].sort(
      ([a], [b]) => Number(b === active) - Number(a === active) || a.localeCompare(b),
    );
    return files.map(([, file]) => file);
  }

  getTreeItem(node: Node): vscode.TreeItem {
    if (node.kind === "file") {
      const item = new vscode.TreeItem(node.uri, vscode.TreeItemCollapsibleState.Expanded);
      item.id = node.uri.toString();
      item.iconPath = vscode.ThemeIcon.File;
      item.description = describeFile(node.answer);
      item.contextValue = "transcript";
      return item;
    }
    const { row, file } = node;
    const item = new vscode.TreeItem(row.label, vscode.TreeItemCollapsibleState.None);
    item.id = `${file.uri}#${row.index}`;
    item.description = row.description;
    item.tooltip = row.detail;
    item.iconPath = new vscode.ThemeIcon(ICONS[row.state]);
    item.contextValue = `response.${row.state}`;
    item.accessibilityInformation = { label: `${row.label}, ${row.description}` };
    item.command = { command: "shiftlens.revealResponse", title: "Show", arguments: [node] };
    return item;
  }

  dispose(): void {
    for (const timer of this.#waiting.values()) {
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
      this.#files.set(key, { kind: "file", uri, answer });
      this.#refresh();
    }
    return Boolean(answer);
  }

  #closed(uri: vscode.Uri): void {
    const key = uri.toString();
    clearTimeout(this.#waiting.get(key));
    this.#waiting.delete(key);
    if (this.#ofFolder.delete(key)) {
      // What was not saved is gone: the file on disk counts again.
      void this.#survey(uri).then((isThere) => isThere || this.#forget(key));
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
      this.#files.set(uri.toString(), { kind: "file", uri, answer });
      this.#refresh();
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

  #forget(key: string): void {
    if (this.#files.delete(key)) {
      this.#refresh();
    }
  }

  #refresh(): void {
    this.#changed.fire(undefined);
    this.#setContextKeys();
  }

  #setContextKeys(): void {
    void vscode.commands.executeCommand("setContext", HAS_TRANSCRIPT, this.#files.size > 0);
    void vscode.commands.executeCommand("setContext", ORDER_KEY, this.#order);
  }
}
