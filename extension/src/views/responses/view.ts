// The Responses view: transcripts with their responses, how much of each was shifted, and the way to it.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import type { StatusParams } from "../../server/protocol";
import { type ListedFile, ListedFiles } from "./files";
import { EVERYTHING, type Filter, parseFilter, passes } from "./filter";
import { isOrder, ORDERS, type Order, sorted } from "./order";
import { pickFilter, pickOrder } from "./pickers";
import { describeFile, type Row } from "./rows";

const VIEW = "shiftlens.responses";
const ORDER_KEY = "shiftlens.responsesOrder";
const FILTER_KEY = "shiftlens.responsesFilter";
const AS_LIST_KEY = "shiftlens.responsesAsList";
/** Context keys beside the three above, whose names they share. */
const HAS_TRANSCRIPT = "shiftlens.hasTranscript";

interface FileNode {
  kind: "file";
  file: ListedFile;
  shown: readonly Row[];
}

export interface ResponseNode {
  kind: "response";
  file: ListedFile;
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
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #files: ListedFiles;
  readonly #view: vscode.TreeView<Node>;
  readonly #subscriptions: vscode.Disposable[];
  #order: Order;
  #filter: Filter;
  #asList: boolean;

  constructor(
    client: () => LanguageClient | undefined,
    private readonly memory: vscode.Memento,
  ) {
    const order = memory.get(ORDER_KEY);
    const filter = parseFilter(memory.get(FILTER_KEY, ""));
    this.#order = isOrder(order) ? order : "file";
    this.#filter = filter.kind === "filter" ? filter : EVERYTHING;
    this.#asList = memory.get(AS_LIST_KEY, false);
    this.#files = new ListedFiles(client);
    this.#view = vscode.window.createTreeView(VIEW, { treeDataProvider: this, showCollapseAll: true });
    this.#subscriptions = [
      this.#files,
      this.#view,
      this.#changed,
      this.#files.onDidChange(() => this.#refresh()),
      vscode.window.onDidChangeActiveTextEditor((editor) => editor && this.#changed.fire(undefined)),
    ];
    this.#refresh();
  }

  statusChanged(status: StatusParams): void {
    this.#files.statusChanged(status);
  }

  /** List the transcripts of the workspace's folders as well. */
  async listFolder(): Promise<void> {
    if ((await this.#files.addFolder()) === 0) {
      void vscode.window.showInformationMessage("ShiftLens: no transcript was found in this folder.");
    } else {
      await vscode.commands.executeCommand(`${VIEW}.focus`);
    }
  }

  /** Ask for an order. */
  async sort(): Promise<void> {
    const order = await pickOrder(this.#order);
    if (order) {
      this.#order = order;
      await this.memory.update(ORDER_KEY, order);
      this.#refresh();
    }
  }

  /** Ask for a filter. */
  async filter(): Promise<void> {
    const listed = this.#files.all().flatMap(({ rows, file }) => rows.map((row) => ({ row, file })));
    const filter = await pickFilter(this.#filter.text, listed);
    if (filter) {
      await this.#setFilter(filter);
    }
  }

  async clearFilter(): Promise<void> {
    await this.#setFilter(EVERYTHING);
  }

  /** One list of all responses, or the responses under their files. */
  async showAsList(asList: boolean): Promise<void> {
    this.#asList = asList;
    await this.memory.update(AS_LIST_KEY, asList);
    this.#refresh();
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

  positionOf({ file, row }: ResponseNode): Promise<vscode.Position | undefined> {
    return this.#files.positionOf(file, row.index);
  }

  getChildren(node?: Node): Node[] {
    if (node) {
      return node.kind === "file" ? this.#sorted(node.shown.map((row) => responseNode(node.file, row))) : [];
    }
    const files = this.#files.all().map((file): FileNode => ({ kind: "file", file, shown: this.#shown(file) }));
    return this.#asList
      ? this.#sorted(files.flatMap(({ file, shown }) => shown.map((row) => responseNode(file, row))))
      : files.filter(({ shown }) => shown.length > 0);
  }

  getTreeItem(node: Node): vscode.TreeItem {
    return node.kind === "file"
      ? fileItem(node)
      : responseItem(node, this.#asList && this.#files.all().length > 1);
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #shown({ rows, file }: ListedFile): Row[] {
    return rows.filter((row) => passes(this.#filter, row, file));
  }

  #sorted(nodes: ResponseNode[]): ResponseNode[] {
    return sorted(nodes, this.#order, ({ row }) => row);
  }

  async #setFilter(filter: Filter): Promise<void> {
    this.#filter = filter;
    await this.memory.update(FILTER_KEY, filter.text);
    this.#refresh();
  }

  #refresh(): void {
    const isFiltered = this.#filter.terms.length > 0;
    const files = this.#files.all();
    const all = files.reduce((sum, { rows }) => sum + rows.length, 0);
    const shown = files.reduce((sum, file) => sum + this.#shown(file).length, 0);
    this.#view.description = this.#order === "file" ? "" : ORDERS[this.#order][0];
    this.#view.message =
      isFiltered && all > 0 ? `Filter: ${this.#filter.text} (${shown} of ${all} responses)` : "";
    this.#changed.fire(undefined);
    const keys = {
      [HAS_TRANSCRIPT]: !this.#files.isEmpty,
      [ORDER_KEY]: this.#order,
      [FILTER_KEY]: isFiltered,
      [AS_LIST_KEY]: this.#asList,
    };
    for (const [key, value] of Object.entries(keys)) {
      void vscode.commands.executeCommand("setContext", key, value);
    }
  }
}

function responseNode(file: ListedFile, row: Row): ResponseNode {
  return { kind: "response", file, row };
}

function fileItem({ file, shown }: FileNode): vscode.TreeItem {
  const item = new vscode.TreeItem(file.uri, vscode.TreeItemCollapsibleState.Expanded);
  item.id = file.uri.toString();
  item.iconPath = vscode.ThemeIcon.File;
  item.description = describeFile(file.answer, shown.length);
  item.contextValue = "transcript";
  return item;
}

function responseItem(node: ResponseNode, withFile: boolean): vscode.TreeItem {
  const { row, file } = node;
  const description = withFile ? `${file.file}: ${row.description}` : row.description;
  const item = new vscode.TreeItem(row.label, vscode.TreeItemCollapsibleState.None);
  item.id = `${file.uri}#${row.index}`;
  item.description = description;
  item.tooltip = row.detail;
  item.iconPath = new vscode.ThemeIcon(ICONS[row.state]);
  item.contextValue = `response.${row.state}`;
  item.accessibilityInformation = { label: `${row.label}, ${description}` };
  item.command = { command: "shiftlens.revealResponse", title: "Show", arguments: [node] };
  return item;
}
