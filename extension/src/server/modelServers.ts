// Names of models on servers, which are the user's to choose: what is read would be sent there. A workspace may come from
// anybody, so that its settings choose none.

const KINDS = ["vllm:", "sglang:", "openai:"];

export const MODEL_SETTINGS = ["base", "aligned", "stages"] as const;

/** Where a setting has its values, as VS Code tells it. */
export interface Scopes {
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}

export function namesServer(value: unknown): boolean {
  return typeof value === "string" && KINDS.some((kind) => value.startsWith(kind));
}

/**
 * The settings of a file with the user's own model where a workspace's settings name one on a server, and the names of the
 * settings that were put right. `scopes` tells where a setting has its values.
 */
export function withoutForeignServers(
  settings: Record<string, unknown>,
  scopes: (name: string) => Scopes | undefined,
): { settings: Record<string, unknown>; refused: string[] } {
  const refused = MODEL_SETTINGS.filter((name) => {
    const { workspaceValue, workspaceFolderValue } = scopes(name) ?? {};
    const foreign = [workspaceValue, workspaceFolderValue].flatMap(names);
    return names(settings[name]).some((model) => namesServer(model) && foreign.includes(model));
  });
  const own = Object.fromEntries(
    refused.map((name) => [name, scopes(name)?.globalValue ?? (Array.isArray(settings[name]) ? [] : "")]),
  );
  return { settings: { ...settings, ...own }, refused };
}

/** The names in a setting that has one of them, or several. */
function names(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

export function refusal(refused: string[]): string {
  const named = refused.map((name) => `\`shiftlens.${name}\``).join(" and ");
  return (
    `ShiftLens: ${named} in this workspace's settings names a model on a server, to which what you read would be sent.` +
    " Name it in your user settings, if you want that."
  );
}
