// The commands of the palette.
import * as vscode from "vscode";
import { DebugInformation } from "./debug";
import type { Logs } from "./log";
import { chooseModels, pairIsSet, writePair } from "./models";
import { goToShifted } from "./navigation";
import { ServerCommand } from "./protocol";
import type { Server } from "./server";

export interface Parts {
  server: Server;
  logs: Logs;
}

export function registerCommands({ server, logs }: Parts): vscode.Disposable {
  const debug = new DebugInformation(server);

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

  async function go(direction: "next" | "previous"): Promise<void> {
    const editor = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
    if (editor) {
      await goToShifted(editor, direction);
    }
  }

  /** For this session where the settings name no pair, else in the settings. */
  async function useBundledModels(): Promise<void> {
    if (pairIsSet()) {
      await writePair(["bundled:base", "bundled:aligned"]);
    } else {
      await ask(ServerCommand.useBundledPair);
    }
  }

  const commands: Record<string, () => unknown> = {
    scoreDocument: () => askAboutDocument(ServerCommand.score),
    cancelScoring: () => askAboutDocument(ServerCommand.cancel),
    chooseModels,
    useBundledModels,
    unloadModels: () => ask(ServerCommand.unload),
    nextShifted: () => go("next"),
    previousShifted: () => go("previous"),
    showDistributions: () => vscode.commands.executeCommand("shiftlens.distributions.focus"),
    restartServer: () => server.restart(),
    showLog: () => logs.main.show(),
    showDebugInformation: () => debug.show(),
  };
  return vscode.Disposable.from(
    debug,
    ...Object.entries(commands).map(([name, run]) =>
      vscode.commands.registerCommand(`shiftlens.${name}`, async () => {
        try {
          return await run();
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          logs.main.error(`shiftlens.${name}: ${message}`);
          void vscode.window.showErrorMessage(`ShiftLens: ${message}`);
        }
      }),
    ),
  );
}
