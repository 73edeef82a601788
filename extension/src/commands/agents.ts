// Offers `shiftlens mcp` to the agents of VS Code, from 1.101 on, in workspaces that are trusted.
import { execFile } from "node:child_process";
import * as vscode from "vscode";
import type { Logs } from "../server/log";
import { pythonEnvironment } from "../server/machine";
import { mcpCommand } from "../server/mcpCommand";
import { withoutForeignServers } from "../server/modelServers";
import type { Server } from "../server/server";
import { SECTION } from "../server/settings";

/** As in `contributes.mcpServerDefinitionProviders`. */
const PROVIDER = "shiftlens.mcp";
const LABEL = "ShiftLens";
const PROBE_MS = 15_000;

/** What newer versions of VS Code have, and the types of the oldest that is supported have not. */
interface StdioDefinition {
  command: string;
  args: string[];
  cwd?: vscode.Uri;
}
interface NewerVsCode {
  lm?: {
    registerMcpServerDefinitionProvider?(id: string, provider: DefinitionProvider): vscode.Disposable;
  };
  McpStdioServerDefinition?: new (
    label: string,
    command: string,
    args: string[],
    env: Record<string, string>,
    version?: string,
  ) => StdioDefinition;
}
interface DefinitionProvider {
  onDidChangeMcpServerDefinitions: vscode.Event<void>;
  provideMcpServerDefinitions(): Promise<StdioDefinition[]>;
  resolveMcpServerDefinition(definition: StdioDefinition): Promise<StdioDefinition | undefined>;
}

/** Does nothing where this VS Code has no such thing. */
export function registerAgentTools(server: Server, logs: Logs, safeFolder: string): vscode.Disposable {
  const { lm, McpStdioServerDefinition: Definition } = vscode as unknown as NewerVsCode;
  if (!lm?.registerMcpServerDefinitionProvider || !Definition) {
    return new vscode.Disposable(() => undefined);
  }
  const changed = new vscode.EventEmitter<void>();
  const make = (command: string, args: string[]) => {
    const definition = new Definition(LABEL, command, args, pythonEnvironment());
    definition.cwd = vscode.Uri.file(safeFolder);
    return definition;
  };
  const provider: DefinitionProvider = {
    onDidChangeMcpServerDefinitions: changed.event,
    // A workspace that is not trusted chooses neither interpreter nor models, and nothing is started for its agents.
    provideMcpServerDefinitions: async () => {
      if (!vscode.workspace.isTrusted) {
        return [];
      }
      const found = await wanted(server);
      // One that can't be started is listed too: starting it says why.
      return [found.kind === "command" ? make(found.command, found.args) : make("shiftlens", ["mcp"])];
    },
    resolveMcpServerDefinition: async () => {
      const found = await wanted(server);
      if (found.kind === "none") {
        void explain(found.problem, found.choosesModels ?? false);
        return undefined;
      }
      const missing = await packageIsMissing(found.command, found.args, safeFolder);
      if (missing !== undefined) {
        logs.main.warn(missing.problem);
        void offerCommand(missing.problem, missing.install);
        return undefined;
      }
      return make(found.command, found.args);
    },
  };
  let registration: vscode.Disposable;
  try {
    registration = lm.registerMcpServerDefinitionProvider(PROVIDER, provider);
  } catch (error) {
    // VS Code 1.100 wants the provider to be contributed under a name that no other version knows.
    logs.main.info(`This VS Code takes no tools for agents: ${error}`);
    changed.dispose();
    return new vscode.Disposable(() => undefined);
  }
  return vscode.Disposable.from(
    changed,
    registration,
    vscode.workspace.onDidGrantWorkspaceTrust(() => changed.fire()),
    vscode.workspace.onDidChangeWorkspaceFolders(() => changed.fire()),
    vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration(SECTION) && changed.fire()),
  );
}

async function wanted(server: Server) {
  if (server.resolution === undefined) {
    await server.settle();
  }
  const section = vscode.workspace.getConfiguration(SECTION);
  const { settings } = withoutForeignServers(
    Object.fromEntries(Object.keys(section).map((name) => [name, section.get(name)])),
    (name) => section.inspect(name),
  );
  const folders = (vscode.workspace.workspaceFolders ?? [])
    .filter(({ uri }) => uri.scheme === "file")
    .map(({ uri }) => uri.fsPath);
  return mcpCommand(server.resolution, settings, folders);
}

/** What is to be said where a Python lacks the package `mcp`; undefined where it has it, or is not started by name. */
function packageIsMissing(
  command: string,
  args: string[],
  safeFolder: string,
): Promise<{ problem: string; install: string } | undefined> {
  if (args[0] !== "-m") {
    return Promise.resolve(undefined);
  }
  const options = { cwd: safeFolder, timeout: PROBE_MS, env: { ...process.env, ...pythonEnvironment() } };
  return new Promise((resolve) => {
    execFile(command, ["-c", "import mcp.server.mcpserver"], options, (error) => {
      const problem = `The Python that ShiftLens uses (${command}) lacks the package mcp, version 2, which the tools for agents need.`;
      resolve(error ? { problem, install: `"${command}" -m pip install "mcp>=2,<3"` } : undefined);
    });
  });
}

async function explain(problem: string, choosesModels: boolean): Promise<void> {
  const choose = "Choose Model Pair...";
  const answer = await vscode.window.showWarningMessage(
    `ShiftLens: ${problem}`,
    ...(choosesModels ? [choose] : []),
  );
  if (answer === choose) {
    await vscode.commands.executeCommand("shiftlens.chooseModels");
  }
}

async function offerCommand(problem: string, command: string): Promise<void> {
  const copy = "Copy the Command";
  if ((await vscode.window.showWarningMessage(`ShiftLens: ${problem} ${command}`, copy)) === copy) {
    await vscode.env.clipboard.writeText(command);
  }
}
