// Settings that are on or off, switched by a command.
import * as vscode from "vscode";
import { SECTION } from "../server/settings";

const SWITCHES = {
  inlayHints: "the base model's choices behind shifted tokens",
  runDiagnostics: "runs of shifted tokens as problems",
} as const;

export type Switch = keyof typeof SWITCHES;

/** Turn a setting on or off, where it is set now or else for the user, and say which it is. */
export async function toggle(setting: Switch): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION, vscode.window.activeTextEditor?.document.uri);
  const value = !settings.get(setting, false);
  const found = settings.inspect(setting);
  const targets: [unknown, vscode.ConfigurationTarget][] = [
    [found?.workspaceFolderValue, vscode.ConfigurationTarget.WorkspaceFolder],
    [found?.workspaceValue, vscode.ConfigurationTarget.Workspace],
  ];
  const [, target = vscode.ConfigurationTarget.Global] = targets.find(([set]) => set !== undefined) ?? [];
  await settings.update(setting, value, target);
  vscode.window.setStatusBarMessage(`ShiftLens: ${SWITCHES[setting]} ${value ? "on" : "off"}`, 3000);
}
