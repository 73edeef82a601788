// Variables in paths of settings.

export interface Surroundings {
  home: string;
  workspaceFolder: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
}

/** Replace a leading `~`, `${userHome}`, `${workspaceFolder}` and `${env:NAME}`; unknown variables stay as they are. */
export function expand(text: string, around: Surroundings): string {
  const expanded = text.replace(/^~(?=$|[\\/])/, () => around.home);
  return expanded.replace(/\$\{([^}]+)\}/g, (whole, name: string) => {
    if (name === "userHome") {
      return around.home;
    }
    if (name === "workspaceFolder") {
      return around.workspaceFolder ?? whole;
    }
    return name.startsWith("env:") ? (around.env[name.slice("env:".length)] ?? "") : whole;
  });
}
