// One server at a time: which one, and when it has to be another.
import type * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { type Additions, type Listener, startClient, stopClient } from "./client";
import { Crashes, crashText, startText } from "./crash";
import type { Logs } from "./log";
import { machineIn } from "./machine";
import { ServerProcess } from "./process";
import type { StatusParams } from "./protocol";
import { describe, type NotFound, type Resolution, resolveServer, sameResolution } from "./resolve";
import { RestartQueue } from "./restart";
import { serverOptions } from "./settings";

const INSTALL = { command: "shiftlens.installServer", title: "Install" };
const CHOOSE = { command: "shiftlens.chooseInterpreter", title: "Choose Interpreter" };

export interface Reactions {
  /** The server ended by itself, or did not start; `text` says what is to be said about it. */
  failed(text: string): void;
  /** No server can be started. Called once per reason. */
  notFound(reason: NotFound): void;
  statusChanged(params: StatusParams): void;
  pageChanged(uri: string): void;
  /** A server answers now, or none does any more. */
  runs(isRunning: boolean): void;
}

/** Where the state of the server itself is shown. */
export interface ServerStatus {
  starting(): void;
  running(): void;
  /** `remedy` is offered to the user. */
  failed(problem: string, remedy?: { command: string; title: string }): void;
  update(params: StatusParams): void;
}

export class Server implements vscode.Disposable {
  readonly #queue = new RestartQueue(() => this.#settle());
  #client: LanguageClient | undefined;
  #resolution: Resolution | undefined;
  #force = false;

  constructor(
    private readonly safeFolder: string,
    private readonly logs: Logs,
    private readonly status: ServerStatus,
    private readonly reactions: Reactions,
    private readonly managedInterpreter: () => Promise<string | undefined>,
    private readonly additions: () => Additions,
  ) {}

  /** The running client; undefined while there is none. */
  get client(): LanguageClient | undefined {
    return this.#client?.isRunning() ? this.#client : undefined;
  }

  get resolution(): Resolution | undefined {
    return this.#resolution;
  }

  /** Start the server, or another one if the settings or the environment now lead to another. */
  settle(): Promise<void> {
    return this.#queue.request();
  }

  /** Stop the server if there is one, and start it whether anything changed or not. */
  restart(): Promise<void> {
    this.#force = true;
    return this.#queue.request();
  }

  async stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.reactions.runs(false);
    if (client) {
      await stopClient(client, this.logs);
    }
  }

  dispose(): void {
    void this.stop();
  }

  async #settle(): Promise<void> {
    const force = this.#force;
    this.#force = false;
    const wanted = { ...(await serverOptions()), managedInterpreter: await this.managedInterpreter() };
    const resolution = await resolveServer(wanted, machineIn(this.safeFolder));
    const same = sameResolution(this.#resolution, resolution);
    if (same && !force && (this.client || resolution.kind === "notFound")) {
      return;
    }
    this.#resolution = resolution;
    this.logs.main.info(`Server: ${describe(resolution)}`);
    await this.stop();
    if (resolution.kind === "notFound") {
      this.status.failed(describe(resolution), remedyFor(resolution));
      if (!same || force) {
        this.reactions.notFound(resolution);
      }
      return;
    }
    this.status.starting();
    const process = new ServerProcess(resolution, this.safeFolder);
    try {
      this.#client = await startClient(process, this.logs, this.#listener(process), this.additions());
    } catch (error) {
      this.logs.main.error(`The server did not start: ${error}`);
      const text = startText(await process.ending(), process.lastLines());
      this.status.failed(text);
      this.reactions.failed(text);
    }
  }

  #listener(process: ServerProcess): Listener {
    const crashes = new Crashes();
    return {
      status: (params) => {
        this.status.update(params);
        this.reactions.statusChanged(params);
      },
      pageChanged: (uri) => this.reactions.pageChanged(uri),
      running: () => {
        this.logs.main.info("The server answers.");
        this.status.running();
        this.reactions.runs(true);
      },
      ended: async () => {
        this.reactions.runs(false);
        const ending = await process.ending();
        const { restart, report } = crashes.ended(Date.now());
        const text = crashText(ending, process.lastLines(), restart);
        this.logs.main.error(text);
        if (restart) {
          this.status.starting();
        } else {
          this.status.failed(text);
        }
        if (report) {
          this.reactions.failed(text);
        }
        return restart;
      },
    };
  }
}

/** What the status item offers; undefined: the log. */
function remedyFor({ installable, setting }: NotFound) {
  if (installable) {
    return INSTALL;
  }
  return setting === "shiftlens.interpreter" ? CHOOSE : undefined;
}
