// An ordinary program that asks the helper for a leak check and sends its canaries meanwhile, as main does for the window:
// node ordinary.ts SOCKET. Prints the checks.
import { newCanaries, ownAddresses, toldOf, whileSending } from "../../main/canaries.ts";
import { askAt } from "../bench/ask.ts";

const [socket = ""] = process.argv.slice(2);
const asker = await askAt(socket);
const canaries = newCanaries(ownAddresses());
const checks = await whileSending(canaries, () => asker.ask("leaks", { canaries: toldOf(canaries) }));
asker.close();
process.stdout.write(JSON.stringify(checks));
