import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import manifest from "../package.json";
import { LENS_COMMANDS, PAGE_LANGUAGE, ServerCommand } from "../src/server/protocol";
import { pageOf } from "../src/views/conversation/uri";

const { contributes, capabilities } = manifest;
const customizations = contributes.configurationDefaults["editor.semanticTokenColorCustomizations"];
const settings = Object.assign({}, ...contributes.configuration.map(({ properties }) => properties));

type Rules = Record<
  string,
  { foreground?: string; bold?: boolean; underline?: boolean; fontStyle?: string; italic?: boolean }
>;
type Scoped = Record<string, { rules: Rules }>;

// Names, as VS Code's settings have them, and editor backgrounds of the themes that come with it.
const THEMES: Record<string, string> = {
  "Default Dark Modern": "#1f1f1f",
  "Default Dark+": "#1e1e1e",
  "Visual Studio Dark": "#1e1e1e",
  "Default Light Modern": "#ffffff",
  "Default Light+": "#ffffff",
  "Visual Studio Light": "#ffffff",
  "Default High Contrast": "#000000",
  "Default High Contrast Light": "#ffffff",
  Abyss: "#000c18",
  "Kimbie Dark": "#221a0f",
  Monokai: "#272822",
  "Monokai Dimmed": "#1e1e1e",
  "Quiet Light": "#f5f5f5",
  Red: "#390000",
  "Solarized Dark": "#002b36",
  "Solarized Light": "#fdf6e3",
  "Tomorrow Night Blue": "#002451",
};

/** The rules for a theme, found as VS Code does: every scope that matches, the last one winning. */
function rulesFor(theme: string): Rules {
  let rules: Rules = customizations.rules;
  for (const [scopes, value] of Object.entries(customizations as unknown as Scoped)) {
    for (const [, scope = ""] of scopes.matchAll(/\[(.+?)\]/g)) {
      const pattern = scope.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*");
      if (new RegExp(`^${pattern}$`).test(theme)) {
        rules = value.rules;
      }
    }
  }
  return rules;
}

/** WCAG 2 relative luminance. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

for (const [theme, background] of Object.entries(THEMES)) {
  const least = theme.includes("High Contrast") ? 7 : 4.5;
  test(`every class reads well in ${theme}`, () => {
    for (const kind of ["shifted", "marginal", "unshifted"].flatMap((name) => [name, `${name}.colourBlind`])) {
      const foreground = rulesFor(theme)[kind]?.foreground ?? "";
      assert.match(foreground, /^#[0-9a-f]{6}$/, `${kind} has no colour`);
      const found = contrast(foreground, background);
      assert.ok(found >= least, `${kind}: ${foreground} on ${background} is ${found.toFixed(2)}`);
    }
  });
}

const HEAT: Record<string, "dark" | "light" | "highContrast" | "highContrastLight"> = {
  "Default Dark Modern": "dark",
  "Default Light Modern": "light",
  "Default High Contrast": "highContrast",
  "Default High Contrast Light": "highContrastLight",
};

/** What a colour with an alpha looks like on an opaque one. */
function over(colour: string, background: string): string {
  const channel = (text: string, at: number) => Number.parseInt(text.slice(at, at + 2), 16);
  const alpha = channel(colour, 7) / 255;
  const mixed = [1, 3, 5].map((at) =>
    Math.round(alpha * channel(colour, at) + (1 - alpha) * channel(background, at)),
  );
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

for (const [theme, kind] of Object.entries(HEAT)) {
  test(`every class reads well on the hottest background in ${theme}`, () => {
    const hottest = contributes.colors.find(({ id }) => id === "shiftlens.heat5");
    const background = over(hottest?.defaults[kind] ?? "", THEMES[theme] ?? "");
    for (const [name, { foreground }] of Object.entries(rulesFor(theme))) {
      if (foreground) {
        const found = contrast(foreground, background);
        assert.ok(found >= 4.5, `${name}: ${foreground} on ${background} is ${found.toFixed(2)}`);
      }
    }
  });
}

const noise = contributes.colors.find(({ id }) => id === "shiftlens.noise")?.defaults;

for (const [theme, background] of Object.entries(THEMES)) {
  test(`tokens within the noise floor read well in ${theme}`, () => {
    const isDark = luminance(background) < 0.2;
    const isHigh = theme.includes("High Contrast");
    const kind = isHigh ? (isDark ? "highContrast" : "highContrastLight") : isDark ? "dark" : "light";
    const found = contrast(noise?.[kind] ?? background, background);
    assert.ok(found >= (isHigh ? 7 : 4.5), `${noise?.[kind]} on ${background} is ${found.toFixed(2)}`);
  });
}

test("shifted and marginal are told apart without colour, in every theme", () => {
  for (const theme of [...Object.keys(THEMES), "A theme nobody knows"]) {
    const { shifted, marginal } = rulesFor(theme);
    assert.deepEqual([shifted?.bold, shifted?.underline], [true, true], theme);
    assert.deepEqual([marginal?.bold, marginal?.underline], [false, true], theme);
  }
});

test("what can run programs, load models or render templates is restricted in untrusted workspaces", () => {
  const restricted = capabilities.untrustedWorkspaces.restrictedConfigurations;
  for (const name of [
    "interpreter",
    "serverCommand",
    "base",
    "aligned",
    "stages",
    "baseContext",
    "alignedContext",
  ]) {
    assert.ok(restricted.includes(`shiftlens.${name}`), name);
  }
  assert.ok(restricted.every((name) => name in settings));
});

test("a workspace can't allow downloads or pickles", () => {
  for (const name of ["allowDownload", "allowPickle"]) {
    assert.equal(settings[`shiftlens.${name}`].scope, "application");
    assert.equal(settings[`shiftlens.${name}`].default, false);
  }
});

test("every setting has a description and a scope, every enum as many descriptions as values", () => {
  for (const [name, setting] of Object.entries<Record<string, unknown>>(settings)) {
    assert.ok(setting.description ?? setting.markdownDescription, name);
    assert.ok(setting.scope, name);
    if (Array.isArray(setting.enum) && Array.isArray(setting.enumDescriptions)) {
      assert.equal(setting.enum.length, setting.enumDescriptions.length, name);
    }
  }
});

test("the editor's commands do not take the names of the server's", () => {
  const taken: string[] = Object.values(ServerCommand);
  for (const { command } of contributes.commands) {
    assert.ok(!taken.includes(command), command);
  }
});

test("what a code lens may run, and what a toggle switches, is there", () => {
  const commands = contributes.commands.map(({ command }) => command);
  assert.deepEqual(
    LENS_COMMANDS.filter((name) => !commands.includes(name)),
    [],
  );
  for (const name of ["inlayHints", "runDiagnostics"]) {
    assert.equal(settings[`shiftlens.${name}`]?.type, "boolean", name);
  }
});

const COMMANDS = contributes.commands as {
  command: string;
  category: string;
  title: string;
  enablement?: string;
}[];

/** Commands that are offered always, and why. */
const ALWAYS: Record<string, string> = {
  "shiftlens.chooseModels": "a pair may be chosen before anything else is there",
  "shiftlens.openExample": "it needs nothing",
  "shiftlens.showDistributions": "the panel says itself what it waits for",
  "shiftlens.installServer": "it also installs anew",
  "shiftlens.removeServer":
    "it says so where nothing is installed, and no key is set before a transcript is opened",
  "shiftlens.chooseInterpreter": "it is the way to a server",
  "shiftlens.restartServer": "it is the way to a server",
  "shiftlens.showLog": "it tells what went wrong, whatever that was",
  "shiftlens.showDebugInformation": "it tells what went wrong, whatever that was",
};

/** Commands that are started from a place of their own, with something to act on. */
const NOT_IN_PALETTE = [
  "shiftlens.openResponseAsConversation",
  "shiftlens.revealResponse",
  "shiftlens.scoreResponse",
];

/** The keys of our own that conditions name, and those that the code sets. */
function keysIn(text: string): string[] {
  return [...text.matchAll(/\bshiftlens\.[a-z]\w*/gi)].map(([key]) => key);
}

test("every command has a title, our category, and a condition or a reason to have none", () => {
  for (const { command, category, title, enablement } of COMMANDS) {
    assert.match(title, /^[A-Z]/, command);
    assert.equal(category, "ShiftLens", command);
    assert.equal(enablement === undefined, command in ALWAYS, command);
  }
  assert.equal(new Set(COMMANDS.map(({ title }) => title)).size, COMMANDS.length);
});

test("every command that is contributed is carried out, and every one that is carried out is contributed", () => {
  const source = readFileSync("src/commands/commands.ts", "utf8");
  const [, table = ""] = /const commands: Record<.+?> = \{\n(.+?)\n {2}\};/s.exec(source) ?? [];
  const registered = [...table.matchAll(/^ {4}(\w+)[,:]/gm)].map(([, name]) => `shiftlens.${name}`);
  assert.deepEqual(registered.sort(), COMMANDS.map(({ command }) => command).sort());
});

test("every key that a condition names is set by the code", () => {
  const set = [
    "commands/contexts",
    "views/ruler",
    "views/report",
    "views/responses/view",
    "views/continuation/view",
  ].flatMap((name) => keysIn(readFileSync(`src/${name}.ts`, "utf8")));
  const views = Object.values(contributes.views).flatMap((each) => each.map(({ id }) => id));
  const conditions = [
    ...COMMANDS.map(({ enablement }) => enablement ?? ""),
    ...contributes.keybindings.map(({ when }) => when),
    ...Object.values(contributes.menus).flatMap((entries) => entries.map(({ when }) => when)),
    ...contributes.viewsWelcome.map(({ when }) => when),
  ];
  const named = conditions.flatMap(keysIn).filter((key) => !views.includes(key));
  assert.ok(named.length > 10);
  assert.deepEqual(
    named.filter((key) => !set.includes(key)),
    [],
  );
});

test("what needs something to act on is not in the palette", () => {
  const hidden = contributes.menus.commandPalette.filter(({ when }) => when === "false");
  assert.deepEqual(hidden.map(({ command }) => command).sort(), NOT_IN_PALETTE);
});

test("the name of a page gives it the language of pages", () => {
  const [language] = contributes.languages;
  assert.equal(language?.id, PAGE_LANGUAGE);
  const pattern = language?.filenamePatterns[0] ?? "";
  const { path } = pageOf({ path: "/talks/a.jsonl", toString: () => "file:///talks/a.jsonl" });
  assert.ok(pattern.startsWith("*") && path.endsWith(pattern.slice(1)), `${path} is not ${pattern}`);
});

test("every menu entry and key is that of a command", () => {
  const commands = COMMANDS.map(({ command }) => command);
  const entries = [...Object.values(contributes.menus).flat(), ...contributes.keybindings];
  for (const { command } of entries) {
    assert.ok(commands.includes(command), command);
  }
});

test("the marks in the ruler and the panel have the colours of the text, in every palette", () => {
  const themes = {
    dark: "Default Dark Modern",
    light: "Default Light Modern",
    highContrast: "Default High Contrast",
    highContrastLight: "Default High Contrast Light",
  } as const;
  const colour = (id: string) => contributes.colors.find((each) => each.id === id)?.defaults;
  for (const [kind, theme] of Object.entries(themes) as [keyof typeof themes, string][]) {
    for (const name of ["shifted", "marginal", "unshifted"]) {
      assert.equal(colour(`shiftlens.${name}`)?.[kind], rulesFor(theme)[name]?.foreground);
      assert.equal(
        colour(`shiftlens.colourBlind.${name}`)?.[kind],
        rulesFor(theme)[`${name}.colourBlind`]?.foreground,
      );
    }
    const marks = [colour("shiftlens.shiftedRuler"), colour("shiftlens.shiftedRulerColourBlind")];
    assert.equal(marks[0]?.[kind].slice(0, 7), rulesFor(theme).shifted?.foreground);
    assert.equal(marks[1]?.[kind].slice(0, 7), rulesFor(theme)["shifted.colourBlind"]?.foreground);
  }
});
