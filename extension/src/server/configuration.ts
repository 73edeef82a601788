// What the server is told of the settings.
import * as vscode from "vscode";
import type { ConfigurationMiddleware } from "vscode-languageclient/node";
import { refusal, withoutForeignServers } from "./modelServers";
import { SECTION } from "./settings";

/** The settings as VS Code has them, but for models on servers that a workspace names. The user is told of those once. */
export function configuration(): NonNullable<ConfigurationMiddleware["configuration"]> {
  const told = new Set<string>();
  return async (params, token, next) => {
    const found = await next(params, token);
    if (!Array.isArray(found)) {
      return found;
    }
    return found.map((value: unknown, at) => {
      const item = params.items[at];
      if (item?.section !== SECTION || typeof value !== "object" || value === null) {
        return value;
      }
      const scope = item.scopeUri ? vscode.Uri.parse(item.scopeUri) : undefined;
      const settings = vscode.workspace.getConfiguration(SECTION, scope);
      const { settings: own, refused } = withoutForeignServers(value as Record<string, unknown>, (name) =>
        settings.inspect(name),
      );
      if (refused.length > 0 && !told.has(refused.join())) {
        told.add(refused.join());
        void vscode.window.showWarningMessage(refusal(refused));
      }
      return own;
    });
  };
}
