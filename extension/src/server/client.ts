// The language client for a resolved server.
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  RevealOutputChannelOn,
  State,
  type StaticFeature,
} from "vscode-languageclient/node";
import type { Logs } from "./log";
import type { ServerProcess } from "./process";
import { CHOOSE_MODELS, LENS_COMMANDS, OPEN_SETTINGS, PAGE_REFRESH, STATUS, type StatusParams } from "./protocol";
import { documentSelector, SECTION } from "./settings";

const ERRORS_IN_A_ROW = 3;

/** What the rest of the extension hears from a server. */
export interface Listener {
  status(params: StatusParams): void;
  running(): void;
  /** The page with this URI is to be asked for again. */
  pageChanged(uri: string): void;
  /** The server, which had been running, ended without being asked to. Shall it be started again? */
  ended(): Promise<boolean>;
}

/** Of a server that never ran, it writes down what went wrong, and leaves it to us to tell. */
class Client extends LanguageClient {
  everRan = false;

  override error(message: string, data?: unknown, showNotification: boolean | "force" = true): void {
    super.error(message, data, this.everRan && showNotification);
  }
}

/** What stands between the server and the editor; made anew for every client. */
export interface Additions {
  middleware: Middleware;
  features: readonly StaticFeature[];
}

/** Start the server and shake hands with it. */
export async function startClient(
  server: ServerProcess,
  logs: Logs,
  listener: Listener,
  { middleware, features }: Additions,
): Promise<LanguageClient> {
  let giveUp: (reason: Error) => void = () => undefined;
  const ended = new Promise<never>((_resolve, reject) => {
    giveUp = reject;
  });
  const options: LanguageClientOptions = {
    documentSelector: documentSelector(),
    outputChannel: logs.main,
    get traceOutputChannel() {
      return logs.trace;
    },
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions: { trusted: vscode.workspace.isTrusted, picksModels: true, commands: LENS_COMMANDS },
    errorHandler: {
      error: (_error, _message, count) => ({
        action: (count ?? 0) <= ERRORS_IN_A_ROW ? ErrorAction.Continue : ErrorAction.Shutdown,
        handled: true,
      }),
      closed: async () => {
        if (!client.everRan) {
          giveUp(new Error("it ended before it answered"));
        }
        const again = client.everRan && (await listener.ended());
        return { action: again ? CloseAction.Restart : CloseAction.DoNotRestart, handled: true };
      },
    },
    initializationFailedHandler: () => false,
    diagnosticCollectionName: SECTION,
    middleware,
  };
  const client: Client = new Client(SECTION, "ShiftLens", () => server.start(), options);
  for (const feature of features) {
    client.registerFeature(feature);
  }
  // Of what is proposed, this version of the client has inline completions alone.
  client.registerProposedFeatures();
  client.onNotification(STATUS, (params: StatusParams) => listener.status(params));
  client.onRequest(PAGE_REFRESH, ({ uri }: { uri: string }) => listener.pageChanged(uri));
  client.onNotification(OPEN_SETTINGS, () =>
    vscode.commands.executeCommand("workbench.action.openSettings", "@ext:shiftlens.shiftlens"),
  );
  client.onNotification(CHOOSE_MODELS, () => vscode.commands.executeCommand("shiftlens.chooseModels"));
  client.onDidChangeState(({ newState }) => {
    if (newState === State.Running) {
      client.everRan = true;
      listener.running();
    }
  });
  // The client's own promise stays open when the server ends before the handshake.
  await Promise.race([client.start(), ended]);
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
