// Wires the parts to the editor's events.
import * as vscode from "vscode";
import { registerAgentTools } from "./commands/agents";
import { registerCommands } from "./commands/commands";
import { CommandContexts } from "./commands/contexts";
import { ModelPicker } from "./commands/models";
import { Installer } from "./install/installer";
import { configuration } from "./server/configuration";
import { createLogs, type Logs } from "./server/log";
import { onActiveInterpreterChange } from "./server/pythonExtension";
import { type Reactions, Server } from "./server/server";
import { changesLanguages, changesProcess, documentSelector } from "./server/settings";
import { redrawOnChange, TokenStyling } from "./views/colours/middleware";
import { Continuations } from "./views/continuation/view";
import { ConversationPages } from "./views/conversation/pages";
import { ghostText } from "./views/ghostText";
import { Heat } from "./views/heat/view";
import { Navigation } from "./views/navigation";
import { DistributionsView } from "./views/panel/view";
import { ResponsesView } from "./views/responses/view";
import { Results } from "./views/results/view";
import { Ruler } from "./views/ruler";
import { showDocument } from "./views/showDocument";
import { Status } from "./views/status";

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const logs = createLogs();
  const status = new Status(documentSelector());
  const ruler = new Ruler();
  const installer: Installer = new Installer(context, logs, (): Server => running);
  const reactions: Reactions = {
    notFound: (reason) => void installer.offer(reason),
    failed: (text) => void reportFailure(text, running, logs),
    statusChanged: (params) => {
      for (const part of [ruler, distributions, responses, heat, contexts]) {
        part.statusChanged(params);
      }
    },
    pageChanged: (uri) => pages.fileChanged(uri),
    runs: (isRunning) => contexts.serverChanged(isRunning),
  };
  const running: Server = new Server(
    context.extensionPath,
    logs,
    status,
    reactions,
    () => installer.interpreter(),
    () => {
      const styling = new TokenStyling();
      return {
        middleware: {
          ...styling,
          ...ghostText,
          window: { showDocument },
          workspace: { configuration: configuration() },
        },
        features: [styling.feature],
      };
    },
  );
  const navigation = new Navigation(() => running.client);
  const distributions = new DistributionsView(context.extensionUri, () => running.client, navigation);
  const responses = new ResponsesView(() => running.client, context.workspaceState);
  const pages = new ConversationPages(() => running.client);
  const continuations = new Continuations(() => running.client);
  const results = new Results(() => running.client);
  const heat = new Heat(() => running.client, context.workspaceState);
  const contexts = new CommandContexts();
  const models = new ModelPicker(() => running.client, context.globalState);
  server = running;
  context.subscriptions.push(
    logs,
    status,
    ruler,
    distributions,
    installer,
    responses,
    pages,
    continuations,
    results,
    heat,
    contexts,
    redrawOnChange(() => running.client),
    registerAgentTools(running, logs, context.extensionPath),
    registerCommands({
      server: running,
      logs,
      installer,
      models,
      responses,
      pages,
      continuations,
      results,
      heat,
      navigation,
    }),
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

async function reportFailure(text: string, restartable: Server, logs: Logs): Promise<void> {
  const choice = await vscode.window.showErrorMessage(text, "Restart", "Show Log");
  if (choice === "Restart") {
    await restartable.restart();
  } else if (choice === "Show Log") {
    logs.main.show();
  }
}
