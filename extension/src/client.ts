// The language client for a resolved server.
import * as vscode from "vscode";
import {
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  State,
} from "vscode-languageclient/node";
import type { Logs } from "./log";
import { pythonEnvironment } from "./machine";
import { OPEN_SETTINGS, STATUS, type StatusParams } from "./protocol";
import type { Found } from "./resolve";
import { documentSelector, SECTION } from "./settings";

const RESTARTS = 3;

/** What the rest of the extension hears from a server. */
export interface Listener {
  status(params: StatusParams): void;
  running(): void;
  /** The server ended without being asked to. It is started again a few times, then no more. */
  stopped(): void;
}

/** Start the server in `safeFolder`, which a workspace can't write to, and shake hands with it. */
export async function startClient(
  server: Found,
  safeFolder: string,
  logs: Logs,
  listener: Listener,
): Promise<LanguageClient> {
  const options: LanguageClientOptions = {
    documentSelector: documentSelector(),
    outputChannel: logs.main,
    get traceOutputChannel() {
      return logs.trace;
    },
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions: { trusted: vscode.workspace.isTrusted },
    connectionOptions: { maxRestartCount: RESTARTS },
    diagnosticCollectionName: SECTION,
  };
  const executable = {
    command: server.command,
    args: [...server.args],
    options: { cwd: safeFolder, env: pythonEnvironment() },
  };
  const client = new LanguageClient(SECTION, "ShiftLens", executable, options);
  client.onNotification(STATUS, (params: StatusParams) => listener.status(params));
  client.onNotification(OPEN_SETTINGS, () =>
    vscode.commands.executeCommand("workbench.action.openSettings", "@ext:shiftlens.shiftlens"),
  );
  client.onDidChangeState(({ oldState, newState }) => {
    if (newState === State.Running) {
      listener.running();
    } else if (oldState === State.Running && newState === State.Stopped) {
      listener.stopped();
    }
  });
  await client.start();
  return client;
}

/** Stop a server, however it stands; what goes wrong on the way out is of interest to the log alone. */
export async function stopClient(client: LanguageClient, logs: Logs): Promise<void> {
  try {
    await client.dispose(5000);
  } catch (error) {
    logs.main.warn(`The server did not stop as it should: ${error}`);
  }
}
