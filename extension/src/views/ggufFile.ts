// The dialog for a GGUF file.
import * as vscode from "vscode";

/** The path of the file; undefined if the user gave up. */
export async function ggufFile(title: string, openLabel: string): Promise<string | undefined> {
  const picked = await vscode.window.showOpenDialog({ title, openLabel, filters: { "GGUF files": ["gguf"] } });
  return picked?.[0]?.fsPath;
}
