// The command that starts the tools for agents (`shiftlens mcp`), from how the language server is started and from the
// settings. A value, tested without an editor.
import type { Resolution } from "./resolve";

/** What is started, or why nothing can be. */
export type McpCommand =
  | { kind: "command"; command: string; args: string[] }
  | { kind: "none"; problem: string; choosesModels?: boolean };

type Settings = Readonly<Record<string, unknown>>;

/** Settings that are options of the same name, as they are. */
const SAME: [setting: string, option: string][] = [
  ["baseContext", "--base-context"],
  ["alignedContext", "--aligned-context"],
  ["classifyBy", "--classify-by"],
  ["thresholds", "--thresholds"],
  ["topK", "--top-k"],
  ["scoreParts", "--score-parts"],
  ["wordLists", "--word-lists"],
  ["compat", "--compat"],
  ["device", "--device"],
  ["dtype", "--dtype"],
  ["matrixLibrary", "--matrix-library"],
];
/** Settings that are options without a value where they have this value. */
const FLAGS: [setting: string, value: boolean, option: string][] = [
  ["allowDownload", true, "--allow-download"],
  ["allowPickle", true, "--allow-pickle"],
  ["resultCache", false, "--no-cache"],
  ["shareEngine", false, "--private-engine"],
];

/** `settings` is the section of ShiftLens, `folders` those of the workspace, whose files agents may have scored. */
export function mcpCommand(
  server: Resolution | undefined,
  settings: Settings,
  folders: readonly string[],
): McpCommand {
  if (server === undefined || server.kind === "notFound") {
    return { kind: "none", problem: server?.problem ?? "The server of ShiftLens has not been looked for yet." };
  }
  const serve = server.args.lastIndexOf("serve");
  if (server.source === "serverCommand" || serve < 0) {
    return {
      kind: "none",
      problem: "shiftlens.serverCommand names a command of your own, from which the one for agents can't be told.",
    };
  }
  const base = text(settings.base);
  const aligned = text(settings.aligned);
  if (base === "" || aligned === "") {
    const problem = "Agents use the models of the settings, and no pair is set.";
    return { kind: "none", problem, choosesModels: true };
  }
  const template = ["baseContext", "alignedContext"].find((name) => text(settings[name]).startsWith("template:"));
  if (template !== undefined) {
    return {
      kind: "none",
      problem: `shiftlens.${template} is a template, which the tools for agents don't take.`,
    };
  }
  const options = SAME.flatMap(([name, option]) => {
    const value = text(settings[name]);
    return value === "" ? [] : [option, value];
  });
  const flags = FLAGS.filter(([name, value]) => settings[name] === value).map(([, , option]) => option);
  const allowed = folders.flatMap((folder) => ["--allow", folder]);
  const models = ["--base", base, "--aligned", aligned];
  return {
    kind: "command",
    command: server.command,
    args: [...server.args.slice(0, serve), "mcp", ...models, ...options, ...flags, ...allowed],
  };
}

function text(value: unknown): string {
  if (Array.isArray(value)) {
    return value.join(",");
  }
  return value === undefined || value === null ? "" : String(value).trim();
}
