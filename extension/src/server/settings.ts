// The settings that the client itself reads. The server asks for its own.
import { homedir } from "node:os";
import * as vscode from "vscode";
import { PAGE_LANGUAGE, PAGE_SCHEME } from "./protocol";
import { activeInterpreter } from "./pythonExtension";
import type { ServerOptions } from "./resolve";
import { expand } from "./variables";

export const SECTION = "shiftlens";

/** Settings whose change can mean another server process. */
const OF_THE_PROCESS = ["interpreter", "serverCommand", "logLevel"];

export async function serverOptions(): Promise<Omit<ServerOptions, "managedInterpreter">> {
  const settings = vscode.workspace.getConfiguration(SECTION);
  const interpreter = path(settings.get("interpreter", ""));
  const serverCommand = settings.get<string[]>("serverCommand", []).map(path);
  const ownChoice = interpreter !== "" || serverCommand.length > 0;
  return {
    serverCommand,
    interpreter,
    activeInterpreter: ownChoice ? undefined : await activeInterpreter(),
    logLevel: settings.get("logLevel", "warning"),
  };
}

export function languages(): readonly string[] {
  return vscode.workspace.getConfiguration(SECTION).get<string[]>("languages", []);
}

/** Files in the languages of the settings, and every page that the server writes. */
export function documentSelector(): { scheme: string; language: string }[] {
  const files = languages().flatMap((language) => ["file", "untitled"].map((scheme) => ({ scheme, language })));
  return [...files, { scheme: PAGE_SCHEME, language: PAGE_LANGUAGE }];
}

export function changesProcess(event: vscode.ConfigurationChangeEvent): boolean {
  return OF_THE_PROCESS.some((key) => event.affectsConfiguration(`${SECTION}.${key}`));
}

export function changesLanguages(event: vscode.ConfigurationChangeEvent): boolean {
  return event.affectsConfiguration(`${SECTION}.languages`);
}

function path(text: string): string {
  return expand(text.trim(), {
    home: homedir(),
    workspaceFolder: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath,
    env: process.env,
  });
}
