// Opens a lab, fetches a page in it, says so, and holds it until it is killed: for the tests of how labs begin and end.
import { internet } from "../lab/internet.ts";
import { openLab } from "../lab/lab.ts";
import { places } from "../lab/places.ts";

const lab = await openLab(internet({ cities: ["Harbourton"] }));
const page = await lab.machine("laptop").exec(["curl", "-s", `http://${places.web.ipv4}/json`]);
const { address } = JSON.parse(page.stdout) as { address: string };
process.stdout.write(`open, a page tells ${address}\n`);
