// Has the user choose a Python that has the server; it goes into the user's own settings, never into a workspace's.
import * as vscode from "vscode";
import { machineIn } from "../server/machine";
import { activeInterpreter } from "../server/pythonExtension";
import { pythonCandidates } from "./plan";
import { askPython } from "./python";

interface Item extends vscode.QuickPickItem {
  run(): Promise<string | undefined>;
}

/** `safeFolder` is the working directory of the Pythons that are asked. */
export async function chooseInterpreter(safeFolder: string): Promise<void> {
  const settings = vscode.workspace.getConfiguration("shiftlens");
  const now = settings.inspect<string>("interpreter")?.globalValue ?? "";
  const picked = await vscode.window.showQuickPick<Item>(items(safeFolder, now), {
    title: "ShiftLens: A Python that has the package shiftlens",
    placeHolder: now ? `Now: ${now}` : "Now: found by itself",
  });
  const path = await picked?.run();
  if (path !== undefined) {
    await settings.update("interpreter", path === "" ? undefined : path, vscode.ConfigurationTarget.Global);
  }
}

async function items(safeFolder: string, now: string): Promise<Item[]> {
  const found = await Promise.all((await programs()).map((program) => pythonItem(program, safeFolder)));
  const seen = new Set<string>();
  const pythons = found.flatMap((item) => {
    const isNew = item !== undefined && !seen.has(item.detail ?? "");
    seen.add(item?.detail ?? "");
    return isNew ? [item] : [];
  });
  return [
    ...pythons,
    {
      label: "$(edit) Enter a path...",
      run: async () =>
        (
          await vscode.window.showInputBox({
            title: "Path of a Python that has the package shiftlens",
            value: now,
            ignoreFocusOut: true,
            validateInput: (text) => (text.trim() === "" ? "Name a Python." : undefined),
          })
        )?.trim(),
    },
    {
      label: "$(folder) Browse...",
      run: async () => {
        const open = { title: "A Python that has the package shiftlens", openLabel: "Use This Python" };
        return (await vscode.window.showOpenDialog(open))?.[0]?.fsPath;
      },
    },
    ...(now === "" ? [] : [{ label: "$(search) Let ShiftLens find one by itself", run: async () => "" }]),
  ];
}

async function programs() {
  const active = await activeInterpreter();
  return [...(active ? [{ command: active, args: [] }] : []), ...pythonCandidates("", process.platform)];
}

/** Undefined for what is no Python. */
async function pythonItem(
  program: { command: string; args: readonly string[] },
  safeFolder: string,
): Promise<Item | undefined> {
  const python = await askPython(program, safeFolder);
  if (!python) {
    return undefined;
  }
  const has = (await machineIn(safeFolder).probe(python.executable)) === "found";
  return {
    label: `$(snake) Python ${python.version.join(".")}`,
    description: has ? "has shiftlens" : "does not have shiftlens",
    detail: python.executable,
    run: async () => python.executable,
  };
}
