// Wires the parts to the editor's events.
import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { createLogs } from "./log";
import { Ruler } from "./navigation";
import { DistributionsView } from "./panel/view";
import { onActiveInterpreterChange } from "./python";
import type { NotFound } from "./resolve";
import { Server } from "./server";
import { changesLanguages, changesProcess, documentSelector } from "./settings";
import { Status } from "./status";

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const logs = createLogs();
  const status = new Status(documentSelector());
  const ruler = new Ruler();
  const running = new Server(context.extensionPath, logs, status, {
    notFound: (reason) => void explain(reason, running),
    statusChanged: (params) => {
      void ruler.statusChanged(params);
      distributions.statusChanged(params);
    },
  });
  const distributions = new DistributionsView(context.extensionUri, () => running.client);
  server = running;
  context.subscriptions.push(
    logs,
    status,
    ruler,
    distributions,
    registerCommands({ server: running, logs }),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (changesLanguages(event)) {
        status.selector = documentSelector();
        await running.restart();
      } else if (changesProcess(event)) {
        await running.settle();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => running.restart()),
  );
  await running.settle();
  context.subscriptions.push(await onActiveInterpreterChange(() => void running.settle()));
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

async function explain(reason: NotFound, restartable: Server): Promise<void> {
  const openSetting = reason.setting ? "Open Setting" : undefined;
  const actions = [...(openSetting ? [openSetting] : []), "Try Again"];
  const choice = await vscode.window.showWarningMessage(
    `ShiftLens: ${reason.problem} ${reason.remedy}`,
    ...actions,
  );
  if (choice === "Try Again") {
    await restartable.restart();
  } else if (choice !== undefined) {
    await vscode.commands.executeCommand("workbench.action.openSettings", reason.setting);
  }
}
