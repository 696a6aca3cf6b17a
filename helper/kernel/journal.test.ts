import { fork } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { type Journal, openJournal } from "./journal.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "culvert-journal-"));
  path = join(folder, "deep", "journal.json");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const journal: Journal = {
  version: 1,
  boot: "one",
  sysctls: [{ key: "net.ipv4.conf.all.accept_redirects", before: "1", ours: ["0"] }],
  resolver: { by: "file", path: "/etc/resolv.conf", before: "AAA=", mode: 0o644, ours: ["nameserver 10.0.0.1\n"] },
};

test("what was written is there for the next life, readable by its owner alone", () => {
  openJournal(path).write(journal);
  expect(openJournal(path).now).toEqual(journal);
  expect(readdirSync(join(folder, "deep"))).toEqual(["journal.json"]);
});

test("removed means nothing of ours stands", () => {
  const file = openJournal(path);
  expect(file.now).toBeNull();
  file.remove();
  file.write(journal);
  file.remove();
  expect(openJournal(path).now).toBeNull();
});

test.each(["", "{", '{"version":1}', '{"version":9,"boot":"x","sysctls":[],"resolver":null}', "\0\0\0"])(
  "a damaged journal %j is put aside and does not keep the helper from starting",
  (text) => {
    openJournal(path).write(journal);
    writeFileSync(path, text);
    expect(openJournal(path).now).toBeNull();
    expect(readFileSync(`${path}.broken`, "utf8")).toBe(text);
  },
);

test("killed at any instant, the old journal or the new one is there whole", async () => {
  const writer = join(folder, "writer.ts");
  writeFileSync(
    writer,
    `import { openJournal } from ${JSON.stringify(join(import.meta.dirname, "journal.ts"))};
     const file = openJournal(${JSON.stringify(path)});
     const journal = ${JSON.stringify(journal)};
     for (let n = 0; ; n++) {
       file.write({ ...journal, boot: String(n).repeat(2000) });
       if (n === 5) process.send("writing");
     }`,
  );
  for (let round = 0; round < 4; round++) {
    const child = fork(writer, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    await new Promise((begun) => child.once("message", begun));
    // some instant of a write; which one is chance
    for (let spin = 0; spin < round; spin++) await new Promise((next) => setImmediate(next));
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await ended;
    const { now } = openJournal(path);
    const digits = (now?.boot.length ?? 0) / 2000;
    expect(now?.boot).toBe(now?.boot.slice(0, digits).repeat(2000));
    expect(digits).toBeGreaterThan(0);
  }
});
