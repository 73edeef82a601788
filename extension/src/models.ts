// Choosing a model pair.
import * as vscode from "vscode";
import { SECTION } from "./settings";

interface Choice extends vscode.QuickPickItem {
  run(): Promise<readonly [string, string] | undefined>;
}

/** Ask for a pair and write it into the settings; false if the user gave up on the way. */
export async function chooseModels(): Promise<boolean> {
  const resource = vscode.window.activeTextEditor?.document.uri;
  const settings = vscode.workspace.getConfiguration(SECTION, resource);
  const [base, aligned] = [settings.get("base", ""), settings.get("aligned", "")];
  const choices: Choice[] = [
    {
      label: "$(package) The bundled pair",
      description: "bundled:base, bundled:aligned",
      detail: "Two tiny models that come with ShiftLens. Nothing is downloaded.",
      run: async () => ["bundled:base", "bundled:aligned"],
    },
    {
      label: "$(edit) By name",
      detail: "Two Hugging Face names in the local cache, or two paths.",
      run: async () => {
        const first = await name("Base model (1 of 2)", base);
        const second = first && (await name("Aligned model (2 of 2)", aligned));
        return first && second ? [first, second] : undefined;
      },
    },
    {
      label: "$(folder) From folders",
      detail: "Two folders, each with one model.",
      run: async () => {
        const first = await folder("Folder of the base model");
        const second = first && (await folder("Folder of the aligned model"));
        return first && second ? [first, second] : undefined;
      },
    },
  ];
  const current = base && aligned ? `Now: ${base} and ${aligned}` : "No pair is chosen yet";
  const choice = await vscode.window.showQuickPick(choices, {
    title: "ShiftLens: Model Pair",
    placeHolder: current,
  });
  const pair = await choice?.run();
  if (!pair) {
    return false;
  }
  await writePair(pair);
  return true;
}

export function pairIsSet(): boolean {
  const settings = vscode.workspace.getConfiguration(SECTION, vscode.window.activeTextEditor?.document.uri);
  return settings.get("base", "") !== "" || settings.get("aligned", "") !== "";
}

export async function writePair([base, aligned]: readonly [string, string]): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION);
  const inWorkspace = vscode.workspace.workspaceFolders !== undefined && vscode.workspace.isTrusted;
  const target = inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await settings.update("base", base, target);
  await settings.update("aligned", aligned, target);
}

async function name(title: string, value: string): Promise<string | undefined> {
  const answer = await vscode.window.showInputBox({
    title,
    value,
    prompt: "A Hugging Face name (organisation/model), or the path of a folder",
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === "" ? "Name a model." : undefined),
  });
  return answer?.trim();
}

async function folder(title: string): Promise<string | undefined> {
  const picked = await vscode.window.showOpenDialog({
    title,
    canSelectFiles: false,
    canSelectFolders: true,
    openLabel: "Choose",
  });
  return picked?.[0]?.fsPath;
}
