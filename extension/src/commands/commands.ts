// The commands of the palette.
import * as vscode from "vscode";
import type { Installer } from "../install/installer";
import type { Logs } from "../server/log";
import { type Direction, type Position, ServerCommand, type Target } from "../server/protocol";
import type { Server } from "../server/server";
import type { Continuations } from "../views/continuation/view";
import type { ConversationPages } from "../views/conversation/pages";
import type { Heat } from "../views/heat/view";
import type { Navigation } from "../views/navigation";
import { Reports } from "../views/report";
import type { ResponseNode, ResponsesView } from "../views/responses/view";
import type { Results } from "../views/results/view";
import { chooseBaseContext, chooseClassifyBy } from "./choices";
import { DebugInformation } from "./debug";
import { openExample } from "./example";
import { BUNDLED } from "./modelList";
import { type ModelPicker, pairIsSet, writePair } from "./models";
import { toggle } from "./toggles";

interface ClearedCache {
  removed: number;
  problem: string | null;
}

export interface Components {
  server: Server;
  logs: Logs;
  installer: Installer;
  models: ModelPicker;
  responses: ResponsesView;
  pages: ConversationPages;
  continuations: Continuations;
  results: Results;
  heat: Heat;
  navigation: Navigation;
}

export function registerCommands({
  server,
  logs,
  installer,
  models,
  responses,
  pages,
  continuations,
  results,
  heat,
  navigation,
}: Components): vscode.Disposable {
  const debug = new DebugInformation(server);
  const reports = new Reports();

  /** Have the server carry something out; says so if there is none. */
  async function ask(command: string, ...args: unknown[]): Promise<unknown> {
    if (!server.client) {
      const again = await vscode.window.showWarningMessage(
        "The ShiftLens server is not running.",
        "Restart",
        "Show Log",
      );
      if (again === "Restart") {
        await server.restart();
      } else if (again === "Show Log") {
        logs.main.show();
      }
      return undefined;
    }
    return server.client.sendRequest("workspace/executeCommand", { command, arguments: args });
  }

  async function askAboutDocument(command: string): Promise<void> {
    const uri = vscode.window.activeTextEditor?.document.uri;
    if (uri) {
      await ask(command, server.client?.code2ProtocolConverter.asUri(uri) ?? uri.toString());
    } else {
      await vscode.window.showInformationMessage("Open a file that holds a model's response first.");
    }
  }

  /** Those that a range of a document touches; nothing is said where the server could not be asked. */
  async function scoreResponses(uri: vscode.Uri, range: vscode.Range): Promise<void> {
    const convert = server.client?.code2ProtocolConverter;
    const touched = await ask(
      ServerCommand.scoreResponses,
      convert?.asUri(uri) ?? uri.toString(),
      convert?.asRange(range),
    );
    if (touched === 0) {
      vscode.window.setStatusBarMessage("ShiftLens: no response of a model is here", 3000);
    }
  }

  async function scoreSelection(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    for (const selection of editor?.selections ?? []) {
      await scoreResponses((editor as vscode.TextEditor).document.uri, selection);
    }
  }

  async function scoreResponse(node: ResponseNode): Promise<void> {
    const start = await responses.positionOf(node);
    if (start) {
      await scoreResponses(node.file.uri, new vscode.Range(start, start));
    }
  }

  /** Of the document with a URI as the server writes it, else of the active one. */
  async function openReport(wireUri?: unknown): Promise<void> {
    const source =
      typeof wireUri === "string" ? vscode.Uri.parse(wireUri) : vscode.window.activeTextEditor?.document.uri;
    if (!source) {
      return;
    }
    const uri = server.client?.code2ProtocolConverter.asUri(source) ?? source.toString();
    const html = (await ask(ServerCommand.report, uri)) as string | null | undefined;
    if (html) {
      reports.show(source, html);
    } else if (html === null) {
      await vscode.window.showInformationMessage(
        "There are no scores to report here yet: ShiftLens: Score This File.",
      );
    }
  }

  /** At a position of a document as the server writes them, else at the cursor. */
  async function showDistributions(wireUri?: unknown, position?: Position): Promise<void> {
    if (typeof wireUri === "string" && position) {
      const start = new vscode.Position(position.line, position.character);
      const selection = new vscode.Range(start, start);
      await vscode.window.showTextDocument(vscode.Uri.parse(wireUri), { preview: false, selection });
    }
    await vscode.commands.executeCommand("shiftlens.distributions.focus");
  }

  async function go(of: Target, direction: Direction): Promise<void> {
    const editor = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
    if (editor) {
      await navigation.go(editor, of, direction);
    }
  }

  /** For this session where the settings name no pair, else in the settings. */
  async function useBundledModels(): Promise<void> {
    if (pairIsSet()) {
      await writePair(BUNDLED);
    } else {
      await ask(ServerCommand.useBundledPair);
    }
  }

  async function clearCache(): Promise<void> {
    const answer = (await ask(ServerCommand.clearCache)) as ClearedCache | undefined;
    if (answer?.problem) {
      throw new Error(answer.problem);
    }
    if (answer) {
      void vscode.window.showInformationMessage(`ShiftLens: ${answer.removed} saved scores removed.`);
    }
  }

  /** What scores; where nothing that runs models is installed, that is offered instead. */
  function unlessReviewOnly<A extends unknown[]>(run: (...args: A) => unknown): (...args: A) => Promise<unknown> {
    return async (...args) => ((await installer.offerModels()) ? undefined : run(...args));
  }

  // biome-ignore lint/suspicious/noExplicitAny: what a command is given is up to who runs it
  const commands: Record<string, (...args: any[]) => unknown> = {
    scoreDocument: unlessReviewOnly(() => askAboutDocument(ServerCommand.score)),
    scoreSelection: unlessReviewOnly(scoreSelection),
    scoreResponse: unlessReviewOnly(scoreResponse),
    cancelScoring: () => askAboutDocument(ServerCommand.cancel),
    chooseModels: () => models.choose(),
    useBundledModels,
    unloadModels: () => ask(ServerCommand.unload),
    clearCachedScores: clearCache,
    chooseBaseContext,
    chooseTokenDefinition: chooseClassifyBy,
    openExample,
    toggleHeat: () => heat.toggle(),
    listFolder: () => responses.listFolder(),
    sortResponses: () => responses.sort(),
    filterResponses: () => responses.filter(),
    clearResponsesFilter: () => responses.clearFilter(),
    showResponsesAsList: () => responses.showAsList(true),
    showResponsesAsTree: () => responses.showAsList(false),
    revealResponse: (node) => responses.reveal(node),
    openAsConversation: (uri) => pages.open(uri instanceof vscode.Uri ? uri : undefined),
    openResponseAsConversation: (node: ResponseNode) => pages.open(node.file.uri, node.row.index),
    showInSource: () => pages.showSource(),
    nextShifted: () => go("token", "next"),
    previousShifted: () => go("token", "previous"),
    nextRun: () => go("run", "next"),
    previousRun: () => go("run", "previous"),
    compareContinuation: () => continuations.compare(),
    insertContinuation: () => continuations.insert(),
    crossSample: unlessReviewOnly((uri?: unknown, at?: Position) => results.crossSample(uri, at)),
    compareContexts: unlessReviewOnly(() => results.compareContexts()),
    measureNoise: unlessReviewOnly(() => results.measureNoise()),
    toggleInlayHints: () => toggle("inlayHints"),
    toggleRunDiagnostics: () => toggle("runDiagnostics"),
    showDistributions,
    openReport,
    saveReport: () => reports.save(),
    installServer: () => installer.install(),
    chooseInterpreter: () => installer.chooseInterpreter(),
    removeServer: () => installer.remove(),
    restartServer: () => server.restart(),
    showLog: () => logs.main.show(),
    showDebugInformation: () => debug.show(),
  };
  return vscode.Disposable.from(
    debug,
    reports,
    ...Object.entries(commands).map(([name, run]) =>
      vscode.commands.registerCommand(`shiftlens.${name}`, async (...args) => {
        try {
          return await run(...args);
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          logs.main.error(`shiftlens.${name}: ${message}`);
          void vscode.window.showErrorMessage(`ShiftLens: ${message}`);
        }
      }),
    ),
  );
}
