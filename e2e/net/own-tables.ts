// Which of Culvert's nft tables stand, asked of the kernel through the addon. Not of `nft`: versions before 1.1.6 do not know
// a chain for a device prefix, leave it out, meet its rules, take that for a change in between and read again, for ever.
import { fileURLToPath } from "node:url";

import { tableName } from "../../helper/plan/numbers.ts";
import type { Machine } from "../lab/machine.ts";

const addon = fileURLToPath(new URL("../../native/addon/culvert.node", import.meta.url));
const script = `const addon = require(${JSON.stringify(addon)}); console.log(addon.nftList(addon.nftOpen()));`;

/** Their families, sorted. */
export async function ownTables(machine: Machine): Promise<readonly string[]> {
  const listed = await machine.exec([process.execPath, "-e", script]);
  const tables = JSON.parse(listed.stdout) as { family: string; name: string }[];
  const own = tables.filter((table) => table.name === tableName);
  return own.map((table) => table.family).sort();
}
