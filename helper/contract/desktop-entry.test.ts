import { describe, expect, test } from "vitest";

import { localised, parseDesktopEntry, startedBy } from "./desktop-entry.ts";

/** As Debian 12 ships it, shortened to what is read. */
const firefox = `[Desktop Entry]
Name=Firefox ESR
Name[de]=Firefox ESR (Deutsch)
Name[pt_BR]=Navegador
Comment=Browse the World Wide Web
Exec=/usr/lib/firefox-esr/firefox-esr %u
Terminal=false
Type=Application
Icon=firefox-esr

[Desktop Action new-window]
Exec=/usr/lib/firefox-esr/firefox-esr --new-window
Name=New Window
`;

describe("a desktop entry", () => {
  test("has the keys of its first group only", () => {
    const entry = parseDesktopEntry(firefox);
    expect(entry?.get("Exec")).toBe("/usr/lib/firefox-esr/firefox-esr %u");
    expect(entry?.get("Name")).toBe("Firefox ESR");
  });
  test("is named in the language asked for, else by its plain name", () => {
    const entry = parseDesktopEntry(firefox) ?? new Map<string, string>();
    expect(localised(entry, "Name", "de-AT")).toBe("Firefox ESR (Deutsch)");
    expect(localised(entry, "Name", "pt_BR.UTF-8")).toBe("Navegador");
    expect(localised(entry, "Name", "zh-CN")).toBe("Firefox ESR");
  });
  test("is none where it is a link or a folder", () => {
    expect(parseDesktopEntry("[Desktop Entry]\nType=Link\nURL=https://example.org\n")).toBeNull();
    expect(parseDesktopEntry("Type=Application\n")).toBeNull();
  });
});

describe("an Exec line", () => {
  test.each([
    ["/usr/lib/firefox-esr/firefox-esr %u", { kind: "command", command: "/usr/lib/firefox-esr/firefox-esr" }],
    ["gimp-2.10 %U", { kind: "command", command: "gimp-2.10" }],
    ['"/opt/My App/run" --flag %F', { kind: "command", command: "/opt/My App/run" }],
    ['"/opt/a\\\\b\\"c"', { kind: "command", command: '/opt/a\\b"c' }],
    ["env FOO=1 -u BAR /usr/bin/code --new", { kind: "command", command: "/usr/bin/code" }],
    [
      "/usr/bin/flatpak run --branch=stable --command=signal org.signal.Signal @@u %U @@",
      { kind: "flatpak", id: "org.signal.Signal" },
    ],
    ["env BAMF_DESKTOP_FILE_HINT=/var/lib/snapd/x.desktop /snap/bin/firefox %u", { kind: "snap", name: "firefox" }],
    ["/snap/bin/lxd.lxc list", { kind: "snap", name: "lxd" }],
    ["sh -c 'exec foo'", { kind: "interpreter", command: "sh" }],
    ["python3 /opt/tool.py", { kind: "interpreter", command: "python3" }],
    ["/usr/bin/bash", { kind: "command", command: "/usr/bin/bash" }],
    ["env A=b", null],
    ["", null],
  ])("%s", (exec, started) => {
    expect(startedBy(exec)).toEqual(started);
  });
});
