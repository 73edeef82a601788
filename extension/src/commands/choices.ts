// Settings that change what the numbers mean, chosen from a list that says what each value does.
import * as vscode from "vscode";
import { SECTION } from "../server/settings";
import { CONTEXT_DETAILS, CONTEXT_LABELS } from "../views/results/offers";

interface Question {
  setting: "baseContext" | "classifyBy";
  title: string;
  labels: Readonly<Record<string, string>>;
  details: Readonly<Record<string, string>>;
}

const BASE_CONTEXT: Question = {
  setting: "baseContext",
  title: "ShiftLens: What the base model reads before the response",
  labels: CONTEXT_LABELS,
  details: CONTEXT_DETAILS,
};

const CLASSIFY_BY: Question = {
  setting: "classifyBy",
  title: "ShiftLens: Whose base rank decides the class of a position",
  labels: { response: "The response token", "aligned-top1": "The aligned model's first choice" },
  details: {
    response: "The base model's rank of the token that stands in the response.",
    "aligned-top1": "The base model's rank of the aligned model's most likely token, as the paper's code does.",
  },
};

export const chooseBaseContext = () => choose(BASE_CONTEXT);
export const chooseClassifyBy = () => choose(CLASSIFY_BY);

async function choose({ setting, title, labels, details }: Question): Promise<void> {
  const resource = vscode.window.activeTextEditor?.document.uri;
  const settings = vscode.workspace.getConfiguration(SECTION, resource);
  const current = settings.get(setting, "");
  const picked = await vscode.window.showQuickPick(
    Object.entries(labels).map(([value, label]) => ({
      label,
      description: value === current ? `${value}, now` : value,
      detail: details[value] ?? "",
      value,
    })),
    { title, placeHolder: `Now: ${labels[current] ?? current}` },
  );
  if (picked && picked.value !== current) {
    const inWorkspace = vscode.workspace.workspaceFolders !== undefined && vscode.workspace.isTrusted;
    const target = inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
    await vscode.workspace.getConfiguration(SECTION).update(setting, picked.value, target);
  }
}
