// A service of the laptop itself, on all its addresses: answers "welcome" over HTTP.
import { createServer } from "node:http";

import { configuration, say } from "./serve.ts";

const { port } = configuration() as { readonly port: number };
createServer((_request, response) => response.end("welcome\n")).listen(port, "::", () => say({ listening: true }));
