// The palette that a document is shown in.
import * as vscode from "vscode";
import { SECTION } from "../../server/settings";
import type { Palette } from "./paint";

export function palette(resource: vscode.Uri | undefined): Palette {
  const value = vscode.workspace.getConfiguration(SECTION, resource).get("palette");
  return value === "colourBlind" ? value : "default";
}
