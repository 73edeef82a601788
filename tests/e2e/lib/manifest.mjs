// The extension's manifest, as far as tests hold the editor against it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./paths.mjs";

const { contributes } = JSON.parse(await readFile(join(ROOT, "extension", "package.json"), "utf8"));
const settings = Object.assign({}, ...contributes.configuration.map(({ properties }) => properties));
const customizations = contributes.configurationDefaults["editor.semanticTokenColorCustomizations"];

/** Whether a setting belongs to the machine rather than to the user. */
export function isOfMachine(name) {
  return settings[name]?.scope.startsWith("machine") ?? false;
}

/**
 * The style that the manifest promises a class (`shifted`, `marginal`, `unshifted`) in a theme: `{ color, bold,
 * underline }`. Found as VS Code does: of the scopes that match the theme's name, the last one wins. In the palette
 * `colourBlind` the colour is another one, the rest is the same.
 */
export function promised(theme, kind, palette = "default") {
  let { rules } = customizations;
  for (const [scopes, value] of Object.entries(customizations)) {
    for (const [, scope] of scopes.matchAll(/\[(.+?)\]/g)) {
      const parts = scope.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      if (new RegExp(`^${parts.join(".*")}$`).test(theme)) {
        rules = value.rules;
      }
    }
  }
  const { foreground, bold = false, underline = false } = rules[kind];
  const color = palette === "default" ? foreground : rules[`${kind}.${palette}`].foreground;
  return { color: rgb(color), bold, underline };
}

/** `#rrggbb` as browsers write computed colours. */
function rgb(hex) {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return `rgb(${red}, ${green}, ${blue})`;
}
