// Stands as resources/app in the Electron that tests and demo take from a package registry, and does what the default
// application of a downloaded Electron does: runs the application in the folder that is its first argument.
const { app } = require("electron");
const { existsSync, readFileSync } = require("node:fs");
const { join, resolve } = require("node:path");

const folder = process.argv.slice(1).find((word) => !word.startsWith("-") && existsSync(join(word, "package.json")));
if (folder === undefined) {
  process.stderr.write("usage: electron FOLDER\n");
  process.exit(2);
}
const { main, name, productName, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
app.setName(productName ?? name);
app.setVersion(version);
app.setPath("userData", join(app.getPath("appData"), productName ?? name));
app.setAppPath(resolve(folder));
require(resolve(folder, main));
