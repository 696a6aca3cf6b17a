import { expect, test } from "vitest";

import { desktopEntry } from "./autostart.ts";

test("the entry starts the program, hidden", () => {
  expect(desktopEntry(["/opt/Culvert/culvert", "--hidden"])).toContain("\nExec=/opt/Culvert/culvert --hidden\n");
});

test("a path with spaces, quotes, dollars and percents survives the desktop's unquoting", () => {
  expect(desktopEntry(["/a b/50%/$x"])).toContain('\nExec="/a b/50%%/\\\\$x"\n');
});
